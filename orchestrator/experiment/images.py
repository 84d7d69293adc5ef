"""Keys of experiments.yaml that say which images there are, and how they are read."""

from scalectl.orchestrator.experiment.places import Files, Images
from scalectl.orchestrator.experiment.rules import Section, key
from scalectl.orchestrator.experiment.values import Count, Flag, Name, Natural, Range, Several
from scalectl.trainer.spec import MAX_PIXELS, Background, Orientation

# how pictures of files are decoded: of a study, and of the datasets of its evaluations
_ORIENTATION = key(
    "Whether pictures are turned as their EXIF data say (turned) or not (kept); turned when left out.", None
)
_BACKGROUND = key("The colour behind transparent pictures, or none to ignore transparency; white when left out.", None)
_RANGE = key(
    "Values of grey pictures of 16 bits or more that become black and white; what their files declare when left out.",
    None,
)
_MAX_PIXELS = key("Most pixels of one picture; a larger one is refused.", MAX_PIXELS)


class Augment(Section):
    """Changes made to a training image each time it is seen."""

    crop: Flag = key(
        "A random part of the picture, 5 to 100 % of its area and 3:4 to 4:3 in aspect, resized to image_size.", False
    )
    flip: Flag = key("Mirrored left to right with a chance of one in two.", False)
    shift: Natural = key("Random translation by at most this many pixels.", 0)


class Columns(Section):
    """The columns of a table, the features of a record or the endings of a sample that are read."""

    image: Name | None = key("Column of the pictures; found by itself when left out.", None)
    label: Name | None = key("Column of the labels; found by itself when left out.", None)


class Data(Section):
    """The training images and their nested subsets."""

    source: Images = key("Where images come from.")
    name: Name | None = key("Name in metrics, tables and figures; that of the folder or file when left out.", None)
    columns: Columns = key("Columns of pictures and labels.", Columns())
    test: Files | None = key(
        "Files of a test split, of which held-out images are taken instead of from the source; for tfds its name.", None
    )
    test_labels: Files | None = key("List of the labels of data.test, where its pictures lie in one flat folder.", None)
    sizes: Several[Count] = key("Numbers of distinct training images; each subset lies inside the next larger one.")
    held_out: Count | None = key(
        "Images never trained on, for evaluation; when left out a fifth of the source, 1,000 of synthetic ones, or all"
        " of data.test.",
        None,
    )
    subset_seed: Natural = key("Seed of the permutation that subsets and held-out images are drawn from.", 0)
    stratified: Flag = key("Whether held-out images and subsets keep the source's share of each class.", False)
    image_size: Count | None = key(
        "Side in pixels of an image as models see it; 32 for synthetic ones when left out.", None
    )
    num_classes: Count | None = key(
        "Classes; when left out 10 for synthetic images, and what their files tell of others.", None
    )
    resize: Count | None = key(
        "Side in pixels to which the smaller side of a picture is resized before its central square of image_size is"
        " cut out; image_size when left out.",
        None,
    )
    orientation: Orientation | None = _ORIENTATION
    background: Background | None = _BACKGROUND
    range: Range | None = _RANGE
    max_pixels: Count = _MAX_PIXELS
    cache: Count | None = key(
        "Side in pixels of training images that are decoded once and kept on each machine; at least image_size where"
        " augment.crop takes parts of them, and else image_size. None are kept when left out.",
        None,
    )
    augment: Augment = key("Augmentation of training images.", Augment())


class Dataset(Section):
    """Images to evaluate on, beside those of the study."""

    source: Images = key("Where images come from, as for data.source.")
    columns: Columns = key("Columns of pictures and labels.", Columns())
    test: Files | None = key(
        "Files of a test split that the error is measured on; held-out images of the source when left out.", None
    )
    test_labels: Files | None = key("List of the labels of the test split, where it is one flat folder.", None)
    held_out: Count | None = key(
        "Images that the error is measured on; when left out a fifth of the source, 1,000 of synthetic ones, or all of"
        " the test split.",
        None,
    )
    subset_seed: Natural = key("Seed of the permutation that held-out images are drawn from.", 0)
    num_classes: Count | None = key(
        "Classes; when left out 10 for synthetic images, and what their files tell of others.", None
    )
    resize: Count | None = key(
        "Side in pixels to which the smaller side of a picture is resized before its central square of"
        " data.image_size is cut out; data.image_size when left out.",
        None,
    )
    orientation: Orientation | None = _ORIENTATION
    background: Background | None = _BACKGROUND
    range: Range | None = _RANGE
    max_pixels: Count = _MAX_PIXELS
