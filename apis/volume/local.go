package volume

const (
	// LocalStorage is the part of the process that makes local volumes.
	LocalStorage = "local-storage"
	// LocalClass is the default class of a cluster that was made without another.
	LocalClass = "local"
	// LocalProvisioner makes volumes in directories of nodes.
	LocalProvisioner = "coracle.io/local"
	// LocalFinalizer keeps a volume in the API until its directory has been taken away, or is to stay.
	LocalFinalizer = "coracle.io/local-storage"
)
