// Package podsecurity enforces the Pod security standard that a namespace's labels name.
// See https://kubernetes.io/docs/concepts/security/pod-security-admission/.
package podsecurity

import (
	"context"
	"errors"
	"fmt"
	"io"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	library "k8s.io/pod-security-admission/admission"
	"k8s.io/pod-security-admission/admission/api/load"
	"k8s.io/pod-security-admission/admission/api/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/metrics"
	"k8s.io/pod-security-admission/policy"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// New makes the plugin. What namespaces without labels may, and who is exempt, is told by a PodSecurityConfiguration; without one they are
// unrestricted.
func New(factory informers.SharedInformerFactory, client kubernetes.Interface, told io.Reader) (admission.Interface, error) {
	configuration, err := load.LoadFromReader(told)
	if err != nil {
		return nil, fmt.Errorf("loading the configuration of PodSecurity: %w", err)
	}
	if errs := validation.ValidatePodSecurityConfiguration(configuration); len(errs) > 0 {
		return nil, fmt.Errorf("configuration of PodSecurity: %w", errs.ToAggregate())
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, fmt.Errorf("building pod security checks: %w", err)
	}
	namespaces := factory.Core().V1().Namespaces()
	p := &library.Admission{
		Configuration: configuration, Evaluator: evaluator, Metrics: metrics.NewPrometheusRecorder(api.GetAPIVersion()),
		PodSpecExtractor: library.DefaultPodSpecExtractor{},
		NamespaceGetter:  library.NamespaceGetterFromListerAndClient(namespaces.Lister(), client),
		PodLister:        library.PodListerFromInformer(factory.Core().V1().Pods().Lister()),
	}
	if err := p.CompleteConfiguration(); err != nil {
		return nil, fmt.Errorf("completing pod security: %w", err)
	}
	if err := p.ValidateConfiguration(); err != nil {
		return nil, fmt.Errorf("checking pod security: %w", err)
	}
	return plugin.Validating(plugin.On{
		Operations: []admission.Operation{admission.Create, admission.Update},
		Concerns:   func(a admission.Attributes) bool { return concerns(p, a.GetResource().GroupResource()) },
		Synced:     []cache.InformerSynced{namespaces.Informer().HasSynced},
	}, func(ctx context.Context, a admission.Attributes) error { return validate(ctx, p, a) }), nil
}

// concerns are Pods, what makes Pods, and namespaces, whose labels are checked.
func concerns(p *library.Admission, gr schema.GroupResource) bool {
	return gr.Group == "" && (gr.Resource == "pods" || gr.Resource == "namespaces") || p.PodSpecExtractor.HasPodSpec(gr)
}

func validate(ctx context.Context, p *library.Admission, a admission.Attributes) error {
	answer := p.Validate(ctx, attributes{a})
	for _, w := range answer.Warnings {
		warning.AddWarning(ctx, "", w)
	}
	for key, value := range answer.AuditAnnotations {
		audit.AddAuditAnnotation(ctx, api.AuditAnnotationPrefix+key, value)
	}
	if answer.Allowed {
		return nil
	}
	return refusal(a, answer)
}

// refusal carries the library's answer in an ordinary error.
func refusal(a admission.Attributes, answer *admissionv1.AdmissionResponse) error {
	err := admission.NewForbidden(a, errors.New("Not allowed by PodSecurity"))
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || answer.Result == nil {
		return err
	}
	if answer.Result.Message != "" {
		status.ErrStatus.Message = answer.Result.Message
	}
	if answer.Result.Reason != "" {
		status.ErrStatus.Reason = answer.Result.Reason
	}
	if answer.Result.Details != nil {
		status.ErrStatus.Details = answer.Result.Details
	}
	if answer.Result.Code != 0 {
		status.ErrStatus.Code = answer.Result.Code
	}
	return status
}

// attributes are the library's view of a request; objects have the types that it wants already.
type attributes struct{ admission.Attributes }

func (a attributes) GetObject() (runtime.Object, error)    { return a.Attributes.GetObject(), nil }
func (a attributes) GetOldObject() (runtime.Object, error) { return a.Attributes.GetOldObject(), nil }
func (a attributes) GetUserName() string                   { return a.GetUserInfo().GetName() }

func (a attributes) GetOperation() admissionv1.Operation {
	return admissionv1.Operation(a.Attributes.GetOperation())
}
