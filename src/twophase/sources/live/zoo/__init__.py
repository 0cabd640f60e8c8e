"""Small pre-trained models that the repository makes itself: recipes, pre-training, model cards."""
