"""What should happen to each input and output of each net of models/, by hand, from the rule (docs/interface.md).

"NCHW -> NHWC": stored as NCHW; the conversion to channels-last stores it as NHWC, the one to channels-first leaves it.
"NHWC -> NCHW": the other way round. Anything else is the reason why it stays, whatever it is converted to.
T are axes that are batch-like besides N: frames, steps of a loop.
"""

VECTOR = "stays: fewer than 3 axes"
FEATURES = "stays: a sequence of features"
POSITIONS = "stays: positions in a row"
NO_CHANNELS = "stays: an image without an axis of channels"
BATCH_BEHIND = "stays: a batch behind its positions"
DISPUTED = "stays: operators disagree about its axes"
UNTOLD = "stays: no operator tells its axes"

IMAGE, LAST_IMAGE = "NCHW -> NHWC", "NHWC -> NCHW"
SIGNAL, LAST_SIGNAL = "NCW -> NWC", "NWC -> NCW"
VOLUME, LAST_VOLUME = "NCDHW -> NDHWC", "NDHWC -> NCDHW"
FRAMES, LAST_FRAMES = "NTCHW -> NTHWC", "NTHWC -> NTCHW"
UNBATCHED, LAST_UNBATCHED = "CHW -> HWC", "HWC -> CHW"

MODELS = {
    "keras_conv1d": {"input": LAST_SIGNAL, "output": LAST_SIGNAL},
    "keras_conv3d": {"input": LAST_VOLUME, "output": VECTOR},
    "keras_flatten": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_mobilenet_v2": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_mobilenet_v3": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_mobilenet_v3_transposes": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_resnet": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_superres": {"input": LAST_IMAGE, "output": LAST_IMAGE},
    "keras_unet": {"input": LAST_IMAGE, "output": LAST_IMAGE},
    "keras_unet_dynamic": {"input": LAST_IMAGE, "output": LAST_IMAGE},
    "torch_conv3d": {"input": VOLUME, "output": VECTOR},
    "torch_densenet": {"input": IMAGE, "output": VECTOR},
    "torch_efficientnet": {"input": IMAGE, "output": VECTOR},
    "torch_flatten": {"input": IMAGE, "output": VECTOR},
    "torch_flatten_legacy": {"input": IMAGE, "output": VECTOR},
    "torch_mobilenet_v2": {"input": IMAGE, "output": VECTOR},
    "torch_mobilenet_v3": {"input": IMAGE, "output": VECTOR},
    "torch_resnet": {"input": IMAGE, "output": VECTOR},
    "torch_resnet_bottleneck": {"input": IMAGE, "output": VECTOR},
    "torch_superres": {"input": IMAGE, "output": IMAGE},
    "torch_superres_legacy": {"input": IMAGE, "output": IMAGE},
    "torch_unet": {"input": IMAGE, "output": IMAGE},
    "torch_unet_dynamo": {"input": IMAGE, "output": IMAGE},
    "torch_vocoder": {"input": SIGNAL, "output": SIGNAL},
    "torch_vocoder_legacy": {"input": SIGNAL, "output": SIGNAL},
}

KINDS = {
    # from image to image
    "torch_dcgan": {"input": IMAGE, "output": IMAGE},  # noise [N, 9, 1, 1], which a ConvTranspose reads
    "torch_denoiser": {"input": IMAGE, "output": IMAGE},
    "torch_espcn_gray": {"input": IMAGE, "output": IMAGE},
    "torch_flow": {"input": IMAGE, "second": IMAGE, "output": IMAGE},  # two channels: dx, dy
    "torch_groupnorm": {"input": IMAGE, "output": IMAGE},
    "torch_groupnorm_legacy": {"input": IMAGE, "output": IMAGE},
    "torch_half_inside": {"input": IMAGE, "output": IMAGE},
    "torch_mnist_rank3": {"input": NO_CHANNELS, "output": VECTOR},
    "torch_rrdb": {"input": IMAGE, "output": IMAGE},
    "torch_rrdb_legacy": {"input": IMAGE, "output": IMAGE},
    "torch_segment": {"input": IMAGE, "scores": IMAGE, "labels": NO_CHANNELS},
    "torch_shuffle": {"input": IMAGE, "output": IMAGE},
    "torch_stylegan": {"input": VECTOR, "output": IMAGE},
    "torch_unbatched": {"input": UNBATCHED, "output": UNBATCHED},
    "torch_volumes": {"input": VOLUME, "output": VOLUME},
    # sound
    "torch_codec": {"input": SIGNAL, "output": SIGNAL},
    "torch_keywords": {"input": SIGNAL, "output": VECTOR},
    "torch_keywords_map": {"input": IMAGE, "output": VECTOR},
    "torch_keywords_rank3": {"input": NO_CHANNELS, "output": VECTOR},
    "torch_wav2vec": {"input": VECTOR, "hidden": FEATURES, "letters": FEATURES},
    "torch_whisper": {"input": SIGNAL, "output": FEATURES},
    # video
    "torch_timesformer": {"input": FRAMES, "output": VECTOR},
    "torch_tsm": {"input": FRAMES, "output": VECTOR},
    "torch_tsm_dynamo": {"input": FRAMES, "output": VECTOR},
    # Channels stand before all positions here, which is channels-first enough: --to nchw leaves it.
    "torch_video_bcthw": {"input": "NCTHW -> NTHWC", "output": "NCTHW -> NTHWC"},
    # detectors, queries and masks
    "torch_deformable": {"input": IMAGE, "output": IMAGE},
    "torch_detr": {"input": IMAGE, "scores": FEATURES, "boxes": FEATURES},
    "torch_mask_rcnn": {"input": UNBATCHED, "boxes": VECTOR, "labels": VECTOR, "scores": VECTOR, "masks": IMAGE},
    "torch_maskformer": {"input": IMAGE, "scores": FEATURES, "masks": IMAGE},  # one channel a query
    "torch_nms": {"input": IMAGE, "found": VECTOR, "boxes": VECTOR},
    "torch_retina": {"input": IMAGE, "output": POSITIONS},  # anchors
    "torch_sam": {"input": IMAGE, "points": FEATURES, "mask": IMAGE, "masks": IMAGE, "quality": VECTOR},
    # Keras
    "keras_autoencoder": {"input": LAST_IMAGE, "output": LAST_IMAGE},
    "keras_conv_lstm": {"input": LAST_FRAMES, "output": LAST_IMAGE},
    "keras_crnn": {"input": LAST_IMAGE, "output": FEATURES},
    "keras_dcgan": {"input": VECTOR, "output": LAST_IMAGE},
    "keras_ecg": {"input": LAST_SIGNAL, "output": VECTOR},
    "keras_frames": {"input": LAST_FRAMES, "output": VECTOR},
    "keras_group_norm": {"input": LAST_IMAGE, "output": LAST_IMAGE},
    "keras_int8": {"input": LAST_IMAGE, "output": LAST_IMAGE},
    "keras_lenet": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_loop": {"input": LAST_IMAGE, "output": LAST_IMAGE},
    "keras_lstm": {"input": FEATURES, "output": FEATURES},
    "keras_mnist_11": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_mnist_13": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_mnist_17": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_mnist_dynamic": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_pixels": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_bilstm": {"input": LAST_SIGNAL, "output": FEATURES},
    "keras_dense": {"input": UNTOLD, "output": UNTOLD},  # a batch of images or of anything else
    "keras_speech": {"input": NO_CHANNELS, "output": VECTOR},
    "keras_tcn": {"input": LAST_SIGNAL, "output": LAST_SIGNAL},
    # control flow, functions, other types
    "own_functions": {"input": IMAGE, "output": IMAGE},
    "torch_dynamic": {"input": IMAGE, "output": IMAGE},
    "torch_half": {"input": IMAGE, "output": IMAGE},
    "torch_if": {"input": IMAGE, "output": IMAGE},
    "torch_loop": {"input": IMAGE, "output": IMAGE},
    "torch_qdq": {"input": IMAGE, "output": VECTOR},
    "torch_qoperator": {"input": IMAGE, "output": VECTOR},
    # near the border
    "torch_cached": {
        "input": FEATURES,
        "output": FEATURES,
        **dict.fromkeys(("keys", "values", "new_keys", "new_values"), UNTOLD),  # [N, heads, T, d]
    },
    # The BatchNormalization next to it has mel bands for its channels; the convolutions behind know better.
    "torch_clap": {"input": IMAGE, "output": VECTOR},
    "torch_conformer": {"input": NO_CHANNELS, "output": FEATURES},
    "torch_diffusion": {"input": IMAGE, "time": VECTOR, "prompt": FEATURES, "output": IMAGE},
    "torch_disputed": {"input": DISPUTED, "output": DISPUTED},
    "torch_pixels_hwc": {"input": LAST_UNBATCHED, "output": VECTOR},
    "torch_pointnet": {"input": SIGNAL, "output": VECTOR},  # points are positions
    "torch_stereo": {"input": IMAGE, "right": IMAGE, "output": NO_CHANNELS},  # disparities [N, H, W]
    "torch_stgcn": {"input": BATCH_BEHIND, "output": VECTOR},  # [N, C, T, joints, persons]
    "torch_textcnn": {"input": LAST_SIGNAL, "output": VECTOR},  # only Conv1D reads it, through a Transpose, as in Keras
    # Channels stand before some positions, though not before all: --to nchw leaves them.
    "torch_videomae": {"input": "NDCHW -> NDHWC", "output": VECTOR},
    "torch_vit": {"input": IMAGE, "tokens": FEATURES, "map": IMAGE, "flat": POSITIONS},
    "torch_vsr": {"input": FRAMES, "output": FRAMES},
    "torch_vsr_legacy": {"input": FRAMES, "output": FRAMES},
}

ZOO = {
    "keras_attention": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_convnext": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_efficientnet_v2_b0": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_mobilenet_v3_large": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_nasnet_mobile": {"input": LAST_IMAGE, "output": VECTOR},
    "keras_xception": {"input": LAST_IMAGE, "output": VECTOR},
    "torch_convnext": {"input": IMAGE, "output": VECTOR},
    "torch_convnext_v2": {"input": IMAGE, "output": VECTOR},
    "torch_crnn": {"input": IMAGE, "output": FEATURES},  # [T, N, classes]
    "torch_cvt": {"input": IMAGE, "output": VECTOR},
    "torch_deeplab": {"input": IMAGE, "output": IMAGE},
    "torch_deit": {"input": IMAGE, "output": VECTOR},
    "torch_detr": {"input": IMAGE, "output": FEATURES},  # [N, queries, classes + box]
    "torch_diffusion_unet": {"input": IMAGE, "output": IMAGE},
    "torch_dpt": {"input": IMAGE, "output": IMAGE},
    "torch_espcn": {"input": IMAGE, "output": IMAGE},
    "torch_flatten_norm": {"input": IMAGE, "output": VECTOR},
    "torch_focalnet": {"input": IMAGE, "output": VECTOR},
    "torch_glpn": {"input": IMAGE, "output": NO_CHANNELS},  # a depth [N, H, W]
    "torch_heads": {"input": IMAGE, "output": VECTOR},
    "torch_hiera": {"input": IMAGE, "output": VECTOR},
    "torch_levit": {"input": IMAGE, "output": VECTOR},
    "torch_mixer": {"input": IMAGE, "output": VECTOR},
    "torch_mobilenet_v1": {"input": IMAGE, "output": VECTOR},
    "torch_mobilevit": {"input": IMAGE, "output": VECTOR},
    "torch_mobilevit_v2": {"input": IMAGE, "output": VECTOR},
    "torch_poolformer": {"input": IMAGE, "output": VECTOR},
    "torch_pvt": {"input": IMAGE, "output": VECTOR},
    "torch_pvt_v2": {"input": IMAGE, "output": VECTOR},
    "torch_regnet": {"input": IMAGE, "output": VECTOR},
    "torch_se_resnet18": {"input": IMAGE, "output": VECTOR},
    "torch_segformer": {"input": IMAGE, "output": IMAGE},
    "torch_shufflenet_v1": {"input": IMAGE, "output": VECTOR},
    "torch_shufflenet_v2": {"input": IMAGE, "output": VECTOR},
    "torch_ssd": {"input": IMAGE, "output": POSITIONS},  # anchors
    "torch_swiftformer": {"input": IMAGE, "output": VECTOR},
    "torch_swin": {"input": IMAGE, "output": VECTOR},
    "torch_swin2sr": {"input": IMAGE, "output": IMAGE},
    "torch_swin_v2": {"input": IMAGE, "output": VECTOR},
    "torch_upernet": {"input": IMAGE, "output": IMAGE},
    "torch_vit": {"input": IMAGE, "output": VECTOR},
    "torch_yolo": {"input": IMAGE, "output": POSITIONS},  # anchors
    "torch_yolos": {"input": IMAGE, "output": FEATURES},  # [N, detection tokens, classes + box]
}
