"""Small nets of every kind, for the decisions on their inputs and outputs (docs/interface.md). Needs no framework."""

from __future__ import annotations

from typing import Any, Literal

from net import Net

Torch = Literal["dynamo", "legacy"]
OPSETS = {"dynamo": 18, "legacy": 17}
GRAY = (1, 28, 28, 1)


def _torch(
    module: str, name: str, about: str, make: str, shape: tuple[int, ...], exporter: Torch, **options: Any
) -> Net:
    """A net of PyTorch."""
    opset = options.pop("opset", OPSETS[exporter])
    build = lambda nets: getattr(nets, make)()  # noqa: E731
    return Net(f"torch_{name}", about, build, shape, exporter, opset, folder="kinds", module=module, **options)


def _image(*args: Any, **options: Any) -> Net:
    return _torch("kinds_images", *args, **options)


def _sound(*args: Any, **options: Any) -> Net:
    return _torch("kinds_sound_video", *args, **options)


SMALL = (1, 3, 20, 24)
IMAGES = [
    _image("rrdb", "Real-ESRGAN: pixel_unshuffle at the input", "RRDB", SMALL, "dynamo"),
    _image("rrdb_legacy", "The same", "RRDB", SMALL, "legacy"),
    _image("espcn_gray", "ESPCN of one channel, PixelShuffle at the output", "ESPCNGray", (1, 1, 20, 27), "legacy"),
    _image("denoiser", "DnCNN of one channel, any N, H and W", "Denoiser", (2, 1, 20, 24), "dynamo",
           dynamic={0: "N", 2: "H", 3: "W"}),
    _image("dcgan", "DCGAN: noise [N, 9, 1, 1] to image", "DCGAN", (2, 9, 1, 1), "legacy"),
    _image("stylegan", "StyleGAN2: modulated convolutions, images as groups", "StyleGAN", (1, 9), "legacy"),
    _image("flow", "Optical flow: RAFT's convex upsampling", "Flow", SMALL, "legacy", more={"second": SMALL}),
    _image("segment", "Segmentation: scores and argmax labels", "Segment", SMALL, "dynamo",
           outputs=("scores", "labels")),
    _image("groupnorm", "GroupNorm before the output", "GroupNormed", SMALL, "dynamo"),
    _image("groupnorm_legacy", "The same, as Reshape, InstanceNormalization, Reshape", "GroupNormed", SMALL, "legacy"),
    _image("shuffle", "Channel shuffle before the output", "ChannelShuffle", SMALL, "legacy"),
    _image("mnist_rank3", "MNIST without an axis of channels", "MnistRank3", (2, 28, 20), "legacy"),
    _image("unbatched", "Image without a batch, at both ends", "Unbatched", (3, 20, 24), "dynamo"),
    _image("volumes", "Segmentation of volumes", "volumes", (1, 1, 4, 12, 10), "legacy"),
    _image("half_inside", "float16 between two Casts", "HalfInside", SMALL, "legacy", tolerance=1e-2),
]  # fmt: skip
SOUND = [
    _sound("whisper", "Whisper's encoder: mel spectrogram to hidden states", "Whisper", (1, 9, 30), "dynamo"),
    _sound("wav2vec", "wav2vec 2.0: waveform to hidden states and letters", "Wav2Vec", (1, 200), "legacy",
           outputs=("hidden", "letters")),
    _sound("keywords", "Keyword spotting on a mel spectrogram by Conv1d", "keywords", (2, 9, 31), "dynamo"),
    _sound("keywords_map", "Keyword spotting by Conv2d, channel given", "keywords_map", (2, 1, 31, 20), "legacy"),
    _sound("keywords_rank3", "Keyword spotting by Conv2d, no channel", "KeywordsMap", (2, 20, 31), "dynamo"),
    _sound("codec", "Codec of waveforms, an LSTM inside", "Codec", (2, 1, 64), "legacy"),
    _sound("tsm", "Temporal shift: frames merged into the batch", "TSM", (2, 4, 3, 20, 24), "legacy"),
    _sound("tsm_dynamo", "The same", "TSM", (2, 4, 3, 20, 24), "dynamo"),
    _sound("timesformer", "Divided attention over frames", "TimeSformer", (1, 4, 3, 20, 24), "dynamo"),
    _sound("video_bcthw", "Channels before frames, each seen by Conv2d", "VideoFirst", (2, 3, 4, 10, 12), "legacy"),
]  # fmt: skip

KINDS = IMAGES + SOUND
