//! Steps, epochs, whole training runs.
