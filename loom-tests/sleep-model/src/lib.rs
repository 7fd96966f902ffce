//! The sleep protocol of the workers as a model.
