package admissionregistration

import admissionv1 "k8s.io/api/admissionregistration/v1"

// How tables of both sorts of policies show parameters.

const (
	paramKindDoc  = "ParamKind specifies the kind of resources used to parameterize this policy"
	policyNameDoc = "PolicyName indicates the policy definition which the policy binding binded to"
	paramRefDoc   = "ParamRef indicates the param resource which sets the configuration param"
)

func paramKind(k *admissionv1.ParamKind) string {
	if k == nil {
		return "<unset>"
	}
	return k.APIVersion + "/" + k.Kind
}

// paramRef shows * for the namespace of parameters that are looked for in the namespace of each object.
func paramRef(r *admissionv1.ParamRef) string {
	switch {
	case r == nil:
		return "<unset>"
	case r.Name != "" && r.Namespace != "":
		return r.Namespace + "/" + r.Name
	case r.Name != "":
		return "*/" + r.Name
	case r.Selector != nil:
		return r.Selector.String()
	}
	return "<unset>"
}
