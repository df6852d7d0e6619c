package policy

// own are the bindings that upstream's installers make, not its API server. The proxy and DNS of an agent act as the node.
func own() []binding {
	return []binding{
		{Name: "coracle:node-proxier", Role: "system:node-proxier", Subjects: []string{"Group system:nodes"}},
	}
}
