//! The cases that the fake and the real service both pass.
