"""The named data sets: facts, sources and files, one entry each. To add a set, add an entry and its reader."""

from functools import partial

from neurosim.data.files import (
    CIFAR_FILES,
    FOLDER_VARIABLE,
    IDX_MD5,
    NMNIST_SIDE,
    Entry,
    fetch_cifar,
    fetch_idx,
    read_cifar,
    read_digits,
    read_higgs,
    read_idx_set,
    read_nmnist,
)

DIGIT_CLASSES = tuple("0123456789")
IN_FOLDER = f"in the folder that {FOLDER_VARIABLE} names"


def _idx_entry(folder: str, base_url: str, classes: tuple[str, ...], source: str) -> Entry:
    return Entry(
        shape=(1, 28, 28),
        sizes="60,000 + 10,000",
        classes=classes,
        full_scale=255,
        source=source,
        read=partial(read_idx_set, folder),
        files=tuple(f"{folder}/{stem}" for stem in IDX_MD5[folder]),
        fetch=partial(fetch_idx, base_url, folder),
        how=f"put the 4 files of {base_url} into {folder} {IN_FOLDER}",
    )


REGISTRY = {
    "digits": Entry(
        shape=(1, 8, 8),
        sizes="1,500 + 297",
        classes=DIGIT_CLASSES,
        full_scale=16,
        source="Alpaydin, Kaynak: Optical Recognition of Handwritten Digits, UCI 1998, doi 10.24432/C50P49; CC BY 4.0; "
        "its test part, as scikit-learn ships it, here split into the first 1,500 and the last 297",
        read=read_digits,
    ),
    "mnist": _idx_entry(
        "MNIST/raw",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        DIGIT_CLASSES,
        "LeCun, Cortes, Burges: The MNIST database of handwritten digits, 1998; the authors give no licence",
    ),
    "fashion-mnist": _idx_entry(
        "FashionMNIST/raw",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        "Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv 1708.07747, 2017; MIT licence",
    ),
    "cifar-10": Entry(
        shape=(3, 32, 32),
        sizes="50,000 + 10,000",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        full_scale=255,
        source="Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009; the author gives no licence",
        read=read_cifar,
        files=CIFAR_FILES,
        fetch=fetch_cifar,
        how=f"unpack https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz {IN_FOLDER}",
    ),
    "higgs": Entry(
        shape=(28,),
        sizes="10,500,000 + 500,000, or a subset's 31,624 + 19,609",
        classes=("background", "signal"),
        full_scale=None,
        source="Whiteson: HIGGS, UCI 2014; Baldi, Sadowski, Whiteson, Nature Communications 5:4308, 2014; CC BY 4.0; "
        "standardised here by the training part's mean and deviation",
        read=read_higgs,
        files=("HIGGS/HIGGS.csv",),
        how="put https://archive.ics.uci.edu/ml/machine-learning-databases/00280/HIGGS.csv.gz (2.6 GB) "
        f"into HIGGS {IN_FOLDER}",
    ),
    "n-mnist": Entry(
        shape=(2, NMNIST_SIDE, NMNIST_SIDE),
        sizes="60,000 + 10,000, or as many as there are",
        classes=DIGIT_CLASSES,
        full_scale=16,  # of a sample of 1,000 recordings, 0.007 % of the counts are larger, the largest is 25
        source="Orchard, Jayawant, Cohen, Thakor: Frontiers in Neuroscience 9:437, 2015; CC BY-SA 4.0; "
        "events counted per pixel and polarity",
        read=read_nmnist,
        files=("N-MNIST/Train", "N-MNIST/Test"),
        how=f"unzip Train.zip and Test.zip of https://www.garrickorchard.com/datasets/n-mnist into N-MNIST {IN_FOLDER}",
    ),
}
