package admission

import (
	"context"
	"slices"

	"k8s.io/apiserver/pkg/admission"
	mutatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	validatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	mutatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	validatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	"k8s.io/apiserver/pkg/authentication/user"
)

// usersOwn are the plugins in which users have their say.
var usersOwn = []string{
	mutatingpolicy.PluginName, mutatingwebhook.PluginName, validatingpolicy.PluginName, validatingwebhook.PluginName, resourcequota.PluginName,
}

// sparing gives a plugin that does not ask about what exempt users write, if it is one of users' own.
func (c Config) sparing(p admission.Interface, name string) admission.Interface {
	if c.Exempt == nil || !slices.Contains(usersOwn, name) {
		return p
	}
	e := exempting{p, c.Exempt}
	switch plugin := p.(type) { // each is one of these
	case admission.MutationInterface:
		return mutator{e, plugin}
	case admission.ValidationInterface:
		return validator{e, plugin}
	}
	return p
}

type exempting struct {
	admission.Interface
	exempt func(user.Info) bool
}

type mutator struct {
	exempting
	plugin admission.MutationInterface
}

// Admit implements admission.MutationInterface.
func (m mutator) Admit(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	if m.exempt(a.GetUserInfo()) {
		return nil
	}
	return m.plugin.Admit(ctx, a, o)
}

type validator struct {
	exempting
	plugin admission.ValidationInterface
}

// Validate implements admission.ValidationInterface.
func (v validator) Validate(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	if v.exempt(a.GetUserInfo()) {
		return nil
	}
	return v.plugin.Validate(ctx, a, o)
}
