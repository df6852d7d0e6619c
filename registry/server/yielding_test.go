package server

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	services "k8s.io/kube-aggregator/pkg/client/informers/externalversions/apiregistration/v1"
	listers "k8s.io/kube-aggregator/pkg/client/listers/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/controllers/autoregister"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// held is an informer with a store and nothing else.
type held struct {
	services.APIServiceInformer
	store cache.Indexer
}

func (h held) Lister() listers.APIServiceLister { return listers.NewAPIServiceLister(h.store) }

func TestAGroupIsServedByOneOnly(t *testing.T) {
	at := priority{metricsPriority, metricsPriority}
	v1, v1beta1 := apiService(metricsv1.SchemeGroupVersion, at), apiService(metricsv1beta1.SchemeGroupVersion, at)
	applied := v1beta1.DeepCopy()
	applied.Spec.Service = &apiregistrationv1.ServiceReference{Namespace: "kube-system", Name: "metrics-server"}
	applied.Labels = map[string]string{autoregister.AutoRegisterManagedLabel: "onstart"}
	old := applied.DeepCopy()
	old.Name, old.Spec.Version, old.Labels = "v1alpha1.metrics.k8s.io", "v1alpha1", nil
	custom := v1.DeepCopy()
	custom.Name, custom.Spec.Version, custom.Labels = "v9.metrics.k8s.io", "v9", map[string]string{autoregister.AutoRegisterManagedLabel: "true"}
	other := apiService(metricsv1.SchemeGroupVersion, at)
	other.Name, other.Spec.Group = "v1.example.com", "example.com"
	left := v1.DeepCopy()
	left.Name, left.Spec.Version = "v1alpha1.metrics.k8s.io", "v1alpha1"

	type all = []*apiregistrationv1.APIService
	for name, c := range map[string]struct {
		wanted, stored all
		create, remove []string
		serves         []string // of v1 and v1beta1
		others         bool     // nothing is waited for
	}{
		"at first":                        {wanted: all{v1, v1beta1}, stored: all{other}, create: []string{v1.Name, v1beta1.Name}},
		"all is there":                    {wanted: all{v1, v1beta1}, stored: all{v1, v1beta1, other}, serves: []string{"v1", "v1beta1"}},
		"one was deleted":                 {wanted: all{v1, v1beta1}, stored: all{v1beta1}, create: []string{v1.Name}, serves: []string{"v1beta1"}},
		"somebody applied theirs":         {wanted: all{v1, v1beta1}, stored: all{v1, applied}, remove: []string{v1.Name}, serves: []string{"v1"}, others: true},
		"and ours is gone":                {wanted: all{v1, v1beta1}, stored: all{applied, other}, others: true},
		"theirs is in another version":    {wanted: all{v1, v1beta1}, stored: all{v1, v1beta1, old}, remove: []string{v1.Name, v1beta1.Name}, serves: []string{"v1", "v1beta1"}, others: true},
		"ours of a version that is over":  {wanted: all{v1, v1beta1}, stored: all{v1, v1beta1, left}, remove: []string{left.Name}, serves: []string{"v1", "v1beta1"}},
		"a custom resource of the group":  {wanted: all{v1, v1beta1}, stored: all{v1, v1beta1, custom}, serves: []string{"v1", "v1beta1"}},
		"it is disabled":                  {stored: all{v1, v1beta1}, remove: []string{v1.Name, v1beta1.Name}, serves: []string{"v1", "v1beta1"}, others: true},
		"it is disabled, theirs is there": {stored: all{applied}, others: true},
	} {
		store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, nil)
		for _, s := range c.stored {
			_ = store.Add(s)
		}
		y := &yielding{group: metricsv1.GroupName, wanted: c.wanted, services: held{store: store}}
		create, remove := y.change(y.stored())
		if d := cmp.Diff(c.create, names(create)) + cmp.Diff(c.remove, names(remove)); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
		var serves []string
		for _, v := range []string{"v1", "v1beta1"} {
			if y.serves("/apis/metrics.k8s.io/" + v + "/nodes") {
				serves = append(serves, v)
			}
		}
		if d := cmp.Diff(c.serves, serves); d != "" {
			t.Errorf("%s: it serves\n%s", name, d)
		}
		if pending := y.pending(); (len(pending) == 0) != c.others {
			t.Errorf("%s: %v is waited for", name, pending)
		}
	}
}

func names(all []*apiregistrationv1.APIService) (list []string) {
	for _, s := range all {
		list = append(list, metav1.Object(s).GetName())
	}
	slices.Sort(list)
	return list
}

func TestOtherPathsAreServed(t *testing.T) {
	y := &yielding{group: metricsv1.GroupName, services: held{store: cache.NewIndexer(cache.MetaNamespaceKeyFunc, nil)}}
	for path, want := range map[string]bool{
		"/apis/apps/v1/deployments": true, "/apis/metrics.k8s.io.example.com/v1/pods": true, "/healthz": true, "/apis": true,
		"/apis/metrics.k8s.io/v1/pods": false, "/apis/metrics.k8s.io/v1": false, "/apis/metrics.k8s.io": false, "/apis/metrics.k8s.io/": false,
	} {
		if y.serves(path) != want {
			t.Errorf("%s: served %v", path, !want)
		}
	}
}
