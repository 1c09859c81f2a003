"""Numbers about a picture or a set of pictures. No torch: numpy, OpenCV and ONNX Runtime."""
