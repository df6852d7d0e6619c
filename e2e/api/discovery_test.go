package api

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

// served is a resource or subresource as discovery tells it.
type served struct {
	Group, Version, Resource, Kind, Scope, Singular string
	KindGroup, KindVersion                          string
	Verbs, ShortNames, Categories                   []string
}

func TestDiscoveryEqualsUpstream(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	client := r.Client(t).Discovery()
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	ours := slices.DeleteFunc(told(lists), func(s served) bool { return s.Group == "metrics.k8s.io" }) // upstream's have metrics-server for it
	difference := cmp.Diff(upstream(t), ours)
	t.Logf("difference from upstream: %q", difference)
	if difference != "" {
		t.Error("discovery differs from upstream's")
	}
}

func TestAggregatedDiscoveryTellsTheSame(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	aggregated := r.Client(t).Discovery()
	legacy := discovery.NewDiscoveryClientForConfigOrDie(r.Config(t)).WithLegacy()
	groups, err := aggregated.ServerGroups()
	if err != nil {
		t.Fatal(err)
	}
	legacyGroups, err := legacy.ServerGroups()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(legacyGroups.Groups, groups.Groups); d != "" {
		t.Errorf("groups in legacy discovery (-) differ from those in aggregated (+):\n%s", d)
	}
}

func upstream(t *testing.T) []served {
	t.Helper()
	encoded, err := os.ReadFile("testdata/discovery.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []served
	if err := json.Unmarshal(encoded, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i].sort()
	}
	slices.SortFunc(all, compare)
	return all
}

func told(lists []*metav1.APIResourceList) []served {
	var all []served
	for _, list := range lists {
		gv, _ := schema.ParseGroupVersion(list.GroupVersion)
		for _, r := range list.APIResources {
			s := served{
				Group: gv.Group, Version: gv.Version, Resource: r.Name, Kind: r.Kind, Scope: "Cluster", Singular: r.SingularName,
				Verbs: r.Verbs, ShortNames: r.ShortNames, Categories: r.Categories,
			}
			if r.Namespaced {
				s.Scope = "Namespaced"
			}
			if strings.Contains(r.Name, "/") {
				s.Singular = "" // clients fill in the resource's
				if r.Group != gv.Group || r.Version != gv.Version {
					s.KindGroup, s.KindVersion = r.Group, r.Version
				}
			}
			s.sort()
			all = append(all, s)
		}
	}
	slices.SortFunc(all, compare)
	return all
}

func (s *served) sort() {
	for _, list := range []*[]string{&s.Verbs, &s.ShortNames, &s.Categories} {
		if *list == nil {
			*list = []string{}
		}
		slices.Sort(*list)
	}
}

func compare(a, b served) int {
	return strings.Compare(a.Group+"/"+a.Version+"/"+a.Resource, b.Group+"/"+b.Version+"/"+b.Resource)
}
