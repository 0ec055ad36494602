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


def _detector(*args: Any, **options: Any) -> Net:
    return _torch("kinds_detect", *args, **options)


def _control(*args: Any, **options: Any) -> Net:
    return _torch("kinds_control", *args, **options)


def _keras(
    name: str, about: str, make: str, shape: tuple[int, ...], exporter: Literal["tf2onnx", "tflite"] = "tf2onnx",
    opset: int = 17, **options: Any,
) -> Net:  # fmt: skip
    """A net of Keras."""
    build = lambda nets, shape: getattr(nets, make)(shape)  # noqa: E731
    return Net(f"keras_{name}", about, build, shape, exporter, opset, folder="kinds", module="kinds_keras", **options)


def _border(*args: Any, **options: Any) -> Net:
    return _torch("kinds_border", *args, **options)


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
    _image("half_inside", "float16 between two Casts", "HalfInside", SMALL, "legacy", tolerance=5e-3),
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

DETECTORS = [
    _detector("mask_rcnn", "Mask R-CNN: unbatched image, TopK, RoiAlign, masks", "MaskRCNN", (3, 20, 24), "legacy",
              outputs=("boxes", "labels", "scores", "masks")),
    _detector("nms", "Detector with NonMaxSuppression", "NMS", SMALL, "legacy", outputs=("found", "boxes")),
    _detector("retina", "Scores of anchors on two maps", "Retina", SMALL, "dynamo"),
    _detector("detr", "Queries on a flattened map", "DETR", SMALL, "dynamo", outputs=("scores", "boxes")),
    _detector("maskformer", "Masks: queries times a map", "MaskFormer", SMALL, "dynamo", outputs=("scores", "masks")),
    _detector("sam", "SAM's decoder: masks of a map and prompts", "SAM", (1, 8, 5, 6), "dynamo",
              more={"points": (1, 2, 8), "mask": (1, 1, 10, 12)}, outputs=("masks", "quality")),
    _detector("deformable", "Deformable attention back to a map", "DeformableAttention", SMALL, "legacy"),
]  # fmt: skip
OTHERS = [
    _control("loop", "A Conv in a Loop, the output behind it", "Loop", SMALL, "legacy"),
    _control("if", "A Conv in either branch of an If", "If", SMALL, "dynamo"),
    Net("own_functions", "Images inside the model's own functions", lambda nets: nets.functions(), SMALL,
        "onnxscript", 18, folder="kinds", module="kinds_control"),
    _image("half", "float16 throughout", "small_half", SMALL, "dynamo", dtype="float16", tolerance=5e-3),
    _image("qdq", "Quantised by onnxruntime: QDQ, a scale per channel", "small_cnn", SMALL, "dynamo",
           quantise="qdq", tolerance=0.1),
    _image("qoperator", "Quantised by onnxruntime: QLinearConv", "small_cnn", SMALL, "legacy",
           quantise="qoperator", tolerance=0.1),
    _image("dynamic", "Quantised by onnxruntime: DynamicQuantizeLinear, ConvInteger", "unet", SMALL, "legacy",
           quantise="dynamic", tolerance=0.3),
]  # fmt: skip
KERAS = [
    *(_keras(f"mnist_{opset}", "MNIST: one channel", "mnist", GRAY, opset=opset) for opset in (11, 13, 17)),
    _keras("mnist_dynamic", "MNIST: one channel, any N", "mnist", (2, 28, 28, 1), dynamic={0: "N"}),
    _keras("lenet", "LeNet: one channel, not square", "lenet", (1, 28, 20, 1)),
    _keras("autoencoder", "Autoencoder: one channel at both ends", "autoencoder", (1, 20, 24, 1)),
    _keras("crnn", "Text recognition: one channel, LSTM on a map", "crnn", (1, 40, 16, 1)),
    _keras("ecg", "Signal of one channel", "ecg", (1, 50, 1)),
    _keras("tcn", "Causal dilated convolutions on a series", "tcn", (1, 40, 6)),
    _keras("lstm", "LSTM alone", "lstm", (1, 12, 7)),
    _keras("conv_lstm", "ConvLSTM: frames to the next one", "conv_lstm", (1, 4, 10, 12, 2)),
    _keras("frames", "TimeDistributed convolution on frames, LSTM", "frames", (2, 4, 10, 12, 3)),
    _keras("dcgan", "DCGAN: noise to an image of one channel", "dcgan", (2, 9)),
    _keras("group_norm", "GroupNormalization before the output", "group_norm", (1, 10, 12, 3)),
    _keras("pixels", "uint8 pixels, preprocessing in the net", "pixels", (1, 20, 24, 3), dtype="uint8"),
    _keras("bilstm", "Conv1D, then a bidirectional LSTM", "bilstm", (1, 12, 9)),
    _keras("speech", "Spectrogram by Conv2D, no channel", "speech", (1, 31, 20)),
    _keras("dense", "Dense layers on every pixel, no convolution", "dense", (1, 10, 12, 3)),
    _keras("loop", "A convolution in a loop before the output", "loop", (1, 10, 12, 3)),
    _keras("int8", "TFLite, quantised to int8 inside", "small_cnn", (1, 20, 24, 3), "tflite"),
]  # fmt: skip
CACHE = {"keys": (1, 2, 5, 7), "values": (1, 2, 5, 7)}
BORDER = [
    _border("conformer", "Conformer: frames of mels to hidden states", "Conformer", (1, 32, 20), "dynamo"),
    _border("textcnn", "TextCNN: Conv1d on embedded words", "TextCNN", (2, 12, 9), "legacy"),
    _border("cached", "A decoder's step with a cache", "Cached", (1, 1, 14), "dynamo", more=CACHE,
            outputs=("output", "new_keys", "new_values")),
    _border("diffusion", "Denoiser of latents with time and prompt", "Diffusion", (1, 4, 10, 12), "dynamo",
            more={"time": (1,), "prompt": (1, 7, 6)}),
    _border("vit", "Features of a ViT: tokens, a map, flat", "ViT", SMALL, "dynamo", outputs=("tokens", "map", "flat")),
    _border("clap", "Spectrogram by Conv2D, normalised along its bands", "CLAP", (2, 1, 31, 20), "legacy"),
    _border("videomae", "Frames before channels, read by Conv3D", "VideoMAE", (1, 4, 3, 20, 24), "dynamo"),
    _border("pointnet", "Clouds of points by Conv1d", "PointNet", (2, 3, 17), "legacy"),
    _border("stgcn", "Skeletons: joints normalised as channels, then positions", "STGCN", (2, 3, 8, 5, 2), "legacy"),
    _border("stereo", "Volume of costs of two images", "Stereo", SMALL, "dynamo", more={"right": SMALL}),
    _border("pixels_hwc", "Bytes without a batch, channels last", "PixelsHWC", (20, 24, 3), "dynamo", dtype="uint8"),
    _border("vsr", "Recurrent super-resolution, frames one by one", "VSR", (1, 3, 3, 10, 12), "dynamo"),
    _border("vsr_legacy", "The same, any N", "VSR", (2, 4, 3, 10, 12), "legacy", dynamic={0: "N"}),
    _border("disputed", "Read by Conv1d and by Linear along the same axis", "Disputed", (2, 7, 9), "dynamo"),
]  # fmt: skip

KINDS = IMAGES + SOUND + DETECTORS + KERAS + OTHERS + BORDER
