package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

const (
	policyFile     = "registry/authz/policy/policy.json"
	policyRecorded = "registry/authz/policy/testdata/upstream.json.gz"
	aggregateLabel = "rbac.authorization.k8s.io/aggregate-to-"
)

// writePolicy writes the default RBAC policy in the compact form that registry/authz/policy reads, and what its test compares with.
func writePolicy(r *recording) error {
	var p bytes.Buffer
	p.WriteString("{\n")
	for i, name := range []string{"clusterRoles", "clusterRoleBindings", "roles", "roleBindings"} {
		list := r.lists[strings.ToLower(name)]
		fmt.Fprintf(&p, "  %q: [", name)
		for j, o := range list {
			text, err := compactPolicy(o)
			if err != nil {
				return fmt.Errorf("writing %s: %w", nameOf(o), err)
			}
			fmt.Fprintf(&p, "\n    %s%s", text, comma(j, len(list)))
		}
		fmt.Fprintf(&p, "]%s\n", comma(i, 4))
	}
	p.WriteString("}\n")
	if err := os.WriteFile(policyFile, p.Bytes(), 0o644); err != nil {
		return err
	}
	return recordPolicy(r)
}

func compactPolicy(o object) (string, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	// A ClusterRole and a binding have all the fields of their namespaced kinds.
	var role rbacv1.ClusterRole
	var binding rbacv1.ClusterRoleBinding
	if err := errors.Join(json.Unmarshal(data, &role), json.Unmarshal(data, &binding)); err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, `{"name": %q`, role.Name)
	if role.Namespace != "" {
		fmt.Fprintf(&text, `, "namespace": %q`, role.Namespace)
	}
	if strings.HasSuffix(role.Kind, "Binding") {
		fmt.Fprintf(&text, `, "role": %q, "subjects": %s}`, binding.RoleRef.Name, subjects(binding.Subjects))
		return text.String(), nil
	}
	for label := range role.Labels {
		if to, ok := strings.CutPrefix(label, aggregateLabel); ok {
			fmt.Fprintf(&text, `, "aggregateTo": %q`, to)
		}
	}
	if role.AggregationRule == nil {
		text.WriteString(`, "rules": [`)
		for i := range role.Rules {
			text.WriteString("\n      " + compactJSON(role.Rules[i]) + comma(i, len(role.Rules)))
		}
		text.WriteString("]}")
		return text.String(), nil
	}
	for label := range role.AggregationRule.ClusterRoleSelectors[0].MatchLabels {
		fmt.Fprintf(&text, `, "aggregates": %q}`, strings.TrimPrefix(label, aggregateLabel))
	}
	return text.String(), nil
}

func subjects(all []rbacv1.Subject) string {
	names := []string{}
	for _, s := range all {
		name := s.Kind + " " + s.Name
		if s.Namespace != "" {
			name = s.Kind + " " + s.Namespace + "/" + s.Name
		}
		names = append(names, fmt.Sprintf("%q", name))
	}
	return "[" + strings.Join(names, ", ") + "]"
}

func comma(i, of int) string {
	if i+1 < of {
		return ","
	}
	return ""
}

// recordPolicy keeps the objects themselves, without their types.
func recordPolicy(r *recording) error {
	all := map[string][]object{}
	for _, name := range []string{"clusterroles", "clusterrolebindings", "roles", "rolebindings"} {
		for _, o := range r.lists[name] {
			untyped := object{}
			for key, value := range o {
				if key != "apiVersion" && key != "kind" {
					untyped[key] = value
				}
			}
			all[name] = append(all[name], untyped)
		}
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = z.Write(data)
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	return os.WriteFile(policyRecorded, zipped.Bytes(), 0o644)
}
