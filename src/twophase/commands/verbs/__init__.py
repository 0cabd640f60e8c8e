"""What each verb of the command line does: a module a verb, with a function `run`, imported when it is called."""
