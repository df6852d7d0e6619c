package scheduler

import (
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/dynamicresources"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/imagelocality"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/interpodaffinity"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/nodeaffinity"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/nodedeclaredfeatures"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/nodename"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/nodeports"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/noderesources"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/nodeunschedulable"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/nodevolumelimits"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/podtopologyspread"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/tainttoleration"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/volumebinding"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/volumerestrictions"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/volumezone"
)

// defaultPlugins are all plugins, in the order in which they filter, with upstream's weights.
func defaultPlugins(factory informers.SharedInformerFactory, client kubernetes.Interface) []framework.Weighted {
	return []framework.Weighted{
		{Plugin: nodeunschedulable.Plugin{}},
		{Plugin: nodename.Plugin{}},
		{Plugin: nodedeclaredfeatures.New()},
		{Plugin: tainttoleration.Plugin{}, Weight: 3},
		{Plugin: nodeaffinity.Plugin{}, Weight: 2},
		{Plugin: nodeports.Plugin{}},
		{Plugin: noderesources.Fit{}, Weight: 1},
		{Plugin: volumerestrictions.New(factory)},
		{Plugin: nodevolumelimits.New(factory)},
		{Plugin: volumebinding.New(factory, client), Weight: 1},
		{Plugin: volumezone.New(factory)},
		{Plugin: dynamicresources.Plugin{}},
		{Plugin: podtopologyspread.New(factory), Weight: 2},
		{Plugin: interpodaffinity.New(factory), Weight: 2},
		{Plugin: noderesources.Balanced{}, Weight: 1},
		{Plugin: imagelocality.Plugin{}, Weight: 1},
	}
}
