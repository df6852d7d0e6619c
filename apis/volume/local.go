package volume

const (
	// LocalStorage is the part of the process that makes local volumes.
	LocalStorage = "local-storage"
	// LocalClass is the default class of a cluster that was made without another.
	LocalClass = "local"
	// LocalProvisioner makes volumes in directories of nodes.
	LocalProvisioner = "coracle.io/local"
	// LocalRoom, an annotation of a Node, is how many bytes the claims of its local volumes may come to, a quantity.
	LocalRoom = "coracle.io/local-storage"
	// LocalNode, an annotation of a volume, names the node whose directory it is: names of hosts are not those of nodes.
	LocalNode = "coracle.io/local-node"
	// LocalFinalizer keeps a volume in the API until its directory has been taken away, or is to stay.
	LocalFinalizer = "coracle.io/local-storage"
)
