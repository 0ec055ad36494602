"""Operators of ai.onnx without a rule, and why: what the report says where one of them needs a Transpose."""


def _each(names: str, reason: str) -> dict[str, str]:
    return {name: f"{name} {reason}" for name in names.split()}


BARRIERS: dict[str, str] = {
    **_each(
        "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial",
        "draws its random numbers in stored order: in another layout each position would get another number",
    ),
    **_each("Range BlackmanWindow HammingWindow HannWindow", "makes a vector, which can be stored in one way only"),
    **_each("MelWeightMatrix", "makes a matrix of bins and bands from five scalars, always in that order"),
    **_each("STFT", "reads batch, signal, 1 and gives batch, frames, bins, 2: every axis has its place"),
    **_each("Constant", "holds a value that is no dense tensor of numbers: any other is folded into its readers"),
    **_each(
        "SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap "
        "SplitToSequence ConcatFromSequence",
        "works on a sequence of tensors, and a sequence has no layout",
    ),
    **_each("Optional OptionalGetElement OptionalHasElement", "works on an optional value, which has no layout"),
    **_each("ImageDecoder", "gives images channels-last, whatever the layout of the rest of the model"),
    **_each("StringNormalizer", "drops words from a list of words, which can be stored in one way only"),
    **_each("TfIdfVectorizer", "counts runs of neighbours along its last axis and gives a vector for each row"),
    **_each(
        "NonMaxSuppression", "reads boxes (batch, box, corner) and scores (batch, class, box), each axis in its place"
    ),
    **_each("AffineGrid", "makes positions for GridSample: batch, spatial axes and coordinates, each in its place"),
    **_each("Col2Im", "reads blocks and channels as one axis and positions as another, both in channels-first order"),
    **_each(
        "RotaryEmbedding", "reads batch, heads, sequence, features (or batch, sequence, features), each in its place"
    ),
}
