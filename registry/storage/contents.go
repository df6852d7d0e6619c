package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Content is what there is of one kind of objects.
type Content struct {
	// Resource is as in keys: "pods", or with the group of a custom resource.
	Resource string
	Count    int
	Bytes    int64
}

const contentsPage = 500

// Contents are all kinds of objects, the biggest first. It reads all of them.
func (u *Upkeep) Contents(ctx context.Context) ([]Content, error) {
	all := map[string]*Content{}
	for from := Root + "/"; ; {
		page, err := u.client.Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(Root+"/")), clientv3.WithLimit(contentsPage), clientv3.WithSerializable())
		if err != nil {
			return nil, fmt.Errorf("reading what etcd holds: %w", err)
		}
		for _, kv := range page.Kvs {
			name := resourceOf(string(kv.Key))
			if all[name] == nil {
				all[name] = &Content{Resource: name}
			}
			all[name].Count++
			all[name].Bytes += int64(len(kv.Key) + len(kv.Value))
			from = string(kv.Key) + "\x00"
		}
		if !page.More {
			break
		}
	}
	var sorted []Content
	for _, c := range all {
		sorted = append(sorted, *c)
	}
	slices.SortFunc(sorted, func(a, b Content) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Resource, b.Resource))
	})
	return sorted, nil
}

// resourceOf finds the resource in a key: groups of custom resources have dots.
func resourceOf(key string) string {
	parts := strings.Split(strings.TrimPrefix(key, Root+"/"), "/")
	if len(parts) > 2 && (strings.Contains(parts[0], ".") || parts[0] == "services") {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// describeBiggest names the three biggest kinds.
func (u *Upkeep) describeBiggest(ctx context.Context) string {
	contents, err := u.Contents(ctx)
	if err != nil {
		return "not known: " + err.Error()
	}
	var names []string
	for _, c := range contents[:min(3, len(contents))] {
		names = append(names, fmt.Sprintf("%d %s (%s)", c.Count, c.Resource, size(c.Bytes)))
	}
	return strings.Join(names, ", ")
}
