"""The paper's printed numbers, with their place (arXiv:2404.00069)."""

TABLE_1 = {  # silhouette: similarity x clustering
    "nlp": {("performance", "hierarchical"): 0.505, ("performance", "kmeans"): 0.466,
            ("text", "hierarchical"): 0.476, ("text", "kmeans"): 0.453},
    "cv": {("performance", "hierarchical"): 0.806, ("performance", "kmeans"): 0.702,
           ("text", "hierarchical"): 0.696, ("text", "kmeans"): 0.732},
}  # fmt: skip
TABLE_2 = {  # sizes of the non-singleton clusters, largest first
    "nlp": (7, 5, 5, 4, 3, 2, 2, 2),
    "cv": (11, 6, 2, 2),  # the four of TABLE_2_CLUSTERS whose members our copy of the paper's text has
}
TABLE_2_CLUSTERS = {"nlp": 8, "cv": 6}  # how many non-singleton clusters there are, Section V-B
TABLE_2_MEMBERS = {  # as far as our copy has them, in the released matrices' spelling; the paper lists 40 and 30 models
    "nlp": {
        "C1": ("Jeevesh8/bert_ft_qqp-68", "Jeevesh8/bert_ft_qqp-9", "Jeevesh8/bert_ft_qqp-40",
               "connectivity/bert_ft_qqp-1", "connectivity/bert_ft_qqp-7"),
        "C2": ("Jeevesh8/512seq_len_6ep_bert_ft_cola-91", "anirudh21/bert-base-uncased-finetuned-qnli",
               "Jeevesh8/bert_ft_cola-88", "manueltonneau/bert-twitter-en-is-hired", "bert-base-uncased",
               "aditeyabaral/finetuned-sail2017-xlm-roberta-base",
               "DoyyingFace/bert-asian-hate-tweets-asian-unclean-freeze-4"),
        "C3": ("Jeevesh8/feather_berts_46", "ishan/bert-base-uncased-mnli", "roberta-base",
               "Alireza1044/albert-base-v2-qnli", "albert-base-v2"),
        "C4": ("CAMeL-Lab/bert-base-arabic-camelbert-mix-did-nadi", "aliosm/sha3bor-metre-detector-arabertv2-base"),
        "C5": ("Splend1dchan/bert-base-uncased-slue-goldtrascription-e3-lr1e-4", "aychang/bert-base-cased-trec-coarse"),
        "C6": ("aviator-neural/bert-base-uncased-sst2", "distilbert-base-uncased", "18811449050/bert_finetuning_test"),
        "C7": ("Jeevesh8/init_bert_ft_qqp-33", "Jeevesh8/init_bert_ft_qqp-24", "connectivity/bert_ft_qqp-17",
               "connectivity/bert_ft_qqp-96"),
        "C8": ("XSY/albert-base-v2-imdb-calssification", "emrecan/bert-base-multilingual-cased-snli_tr"),
    },
    "cv": {
        "C1": ("facebook/deit-base-patch16-224", "facebook/deit-base-patch16-384", "facebook/dino-vits16",
               "facebook/vit-msn-base", "facebook/vit-msn-small", "Visual-Attention-Network/van-large"),
        "C2": ("facebook/deit-small-patch16-224", "Visual-Attention-Network/van-base"),
        "C3": ("facebook/dino-vitb16", "facebook/dino-vitb8", "google/vit-base-patch16-224",
               "google/vit-base-patch16-384", "lixiqi/beit-base-patch16-224-pt22k-ft22k-finetuned-FER2013-6e-05",
               "lixiqi/beit-base-patch16-224-pt22k-ft22k-finetuned-FER2013-7e-05",
               "lixiqi/beit-base-patch16-224-pt22k-ft22k-finetuned-FER-5e-05-3", "microsoft/beit-base-patch16-224",
               "microsoft/beit-base-patch16-224-pt22k-ft22k", "microsoft/beit-base-patch16-384",
               "nateraw/vit-age-classifier"),
        "C4": ("shi-labs/dinat-large-in22k-in1k-224", "shi-labs/dinat-large-in22k-in1k-384"),
    },
}  # fmt: skip
TABLE_2_MODELS = {"nlp": 40, "cv": 30}
TABLE_3 = {  # average accuracy, number of datasets on which the best model is of this kind
    "nlp": {"non-singleton": (0.67, 22), "singleton": (0.61, 2)},
    "cv": {"non-singleton": (0.84, 10), "singleton": (0.73, 0)},
}
TABLE_4 = {  # threshold -> (accuracy, epochs)
    "nlp": {
        "MNLI": {0.0: (0.85, 14), 0.01: (0.85, 14), 0.05: (0.85, 15), 0.1: (0.85, 16)},
        "MultiRC": {0.0: (0.63, 16), 0.01: (0.63, 16), 0.05: (0.63, 19), 0.1: (0.63, 19)},
    },
    "cv": {
        "Flowers": {0.0: (0.985, 15), 0.01: (0.985, 15), 0.05: (0.986, 18), 0.1: (0.986, 18)},
        "X-Ray": {0.0: (0.966, 14), 0.01: (0.966, 15), 0.05: (0.969, 18), 0.1: (0.969, 18)},
    },
}
TABLE_5 = {  # epochs: brute force, halving, fine-selection by target; among 10 models and among all
    # (the 13 of X-Ray is by its speed-up, 3.08x of 40: our copy of the text has lost the digits)
    "nlp": {"10": (50, 19, {"Tweet": 14, "MNLI": 14, "MultiRC": 15, "Boolq": 16}),
            "all": (200, 77, {"Tweet": 44, "MNLI": 44, "MultiRC": 46, "Boolq": 48})},
    "cv": {"10": (40, 18, {"X-Ray": 13, "MedMNIST": 15, "Flowers": 15, "Beans": 17}),
           "all": (120, 55, {"X-Ray": 38, "MedMNIST": 37, "Flowers": 36, "Beans": 41})},
}  # fmt: skip
TABLE_6 = {  # 2PH epochs, speed-up against BF and SH, accuracy of BF, SH, 2PH
    "nlp": {"Tweet": (19, 10.53, 4.05, 0.650, 0.600, 0.650), "MNLI": (19, 10.53, 4.05, 0.850, 0.850, 0.850),
            "MultiRC": (20, 10.00, 3.85, 0.640, 0.630, 0.630), "Boolq": (21, 9.52, 3.67, 0.720, 0.720, 0.720)},
    "cv": {"X-Ray": (18, 6.67, 3.06, 0.969, 0.962, 0.962), "MedMNIST": (20, 6.00, 2.75, 0.779, 0.773, 0.773),
           "Flowers": (20, 6.00, 2.75, 0.986, 0.986, 0.985), "Beans": (22, 5.45, 2.50, 0.968, 0.961, 0.961)},
}  # fmt: skip
SECTION_5D = {"BF": (5, 8), "SH": (2, 3)}  # "about 2x to 3x times faster compared with SH and about 5x to 8x … BF"
TABLE_7 = {  # selected model, accuracy, rank in the recall (from 0), average accuracy of the recalled models
    "nlp": {"MultiRC": ("albert-base-v2", 0.630, 5, 0.574), "Boolq": ("bert-base-uncased-mnli", 0.720, 0, 0.635)},
    "cv": {"MedMNIST": ("vit-base-patch16-384", 0.773, 1, 0.768), "Flowers": ("vit-base-patch16-224", 0.985, 9, 0.891)},
}
TABLE_10 = {"nlp": {5: 0.543, 10: 0.503, 15: 0.535}, "cv": {3: 0.850, 4: 0.828, 5: 0.821}}  # technical report
RECALL_CONTAINS_BEST = {  # Section V-B: K that contains the best model
    "nlp": {"Tweet": 10, "MNLI": 5, "MultiRC": 5, "Boolq": 5},
    "cv": {"Beans": 10, "MedMNIST": 15, "Flowers": 5, "X-Ray": 5},
}
TABLE_11 = {"nlp": (5, 5, 4, 3, 2, 2, 2, 2, 2, 2, 2), "cv": (7, 6, 4, 3, 2, 2, 2)}  # sizes, technical report
