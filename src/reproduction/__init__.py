"""What the notebooks call: one module per notebook, and the evidence that all of them read."""

import pandas as pd

# names of models and datasets are many and short: as Arrow's arrays they make a selection a third slower
pd.set_option("mode.string_storage", "python")
