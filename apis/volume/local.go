package volume

const (
	// LocalProvisioner makes volumes in directories of nodes.
	LocalProvisioner = "coracle.io/local"
	// LocalFinalizer keeps a volume in the API until its directory has been taken away, or is to stay.
	LocalFinalizer = "coracle.io/local-storage"
)
