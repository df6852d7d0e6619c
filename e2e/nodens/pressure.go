package nodens

// Pressure is when the Pods of a test's node must go. Nodes share the disk of the machine that tests run on, and what others keep there: shares
// of it are no measure.
const Pressure = "memory.available<100Mi,nodefs.available<1Gi"
