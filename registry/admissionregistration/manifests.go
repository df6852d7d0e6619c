package admissionregistration

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission/initializer"
	policies "k8s.io/apiserver/pkg/admission/plugin/policy/manifest/loader"
	webhooks "k8s.io/apiserver/pkg/admission/plugin/webhook/manifest/loader"

	"github.com/coracle-k8s/coracle/apis/admissionregistration"
)

// Manifests read policies and webhooks from the files of a directory, which an AdmissionConfiguration names (staticManifestsDir). They are
// defaulted and validated as those of the API are; what else the library asks of them, it checks itself: names that end with
// .static.k8s.io, no parameters, webhooks by URL.
//
// See https://kubernetes.io/docs/reference/access-authn-authz/manifest-admission-control/ (KEP-5793).
func Manifests() *initializer.ManifestLoaders {
	expressions := newCompilers()
	mutatingWebhook := accept(admissionregistration.DefaultMutatingWebhooks, func(c *mutatingWebhooks) field.ErrorList {
		return admissionregistration.ValidateMutatingWebhooks(c, nil, expressions.checker())
	})
	validatingWebhook := accept(admissionregistration.DefaultValidatingWebhooks, func(c *validatingWebhooks) field.ErrorList {
		return admissionregistration.ValidateValidatingWebhooks(c, nil, expressions.checker())
	})
	mutating := accept(admissionregistration.DefaultMutatingPolicy, func(p *mutatingPolicy) field.ErrorList {
		return admissionregistration.ValidateMutatingPolicy(p, nil, expressions.checker())
	})
	mutatingBound := accept(admissionregistration.DefaultMutatingBinding, admissionregistration.ValidateMutatingBinding)
	validating := accept(admissionregistration.DefaultValidatingPolicy, func(p *validatingPolicy) field.ErrorList {
		return admissionregistration.ValidateValidatingPolicy(p, nil, expressions.checker())
	})
	validatingBound := accept(admissionregistration.DefaultValidatingBinding, admissionregistration.ValidateValidatingBinding)
	decoder := manifestDecoder()
	return &initializer.ManifestLoaders{
		LoadMutatingWebhookManifests: func(dir string) ([]*mutatingWebhooks, string, error) {
			return webhooks.LoadManifests(dir, decoder, mutatingWebhook)
		},
		LoadValidatingWebhookManifests: func(dir string) ([]*validatingWebhooks, string, error) {
			return webhooks.LoadManifests(dir, decoder, validatingWebhook)
		},
		LoadMutatingPolicyManifests: func(dir string) ([]*mutatingPolicy, []*mutatingBinding, string, error) {
			return policies.LoadPolicyManifests(dir, decoder, mutating, mutatingBound, func(b *mutatingBinding) string { return b.Spec.PolicyName })
		},
		LoadValidatingPolicyManifests: func(dir string) ([]*validatingPolicy, []*validatingBinding, string, error) {
			return policies.LoadPolicyManifests(dir, decoder, validating, validatingBound, func(b *validatingBinding) string { return b.Spec.PolicyName })
		},
	}
}

// manifestDecoder reads objects of the group, and lists of any, and knows of no field that does not exist.
func manifestDecoder() runtime.Decoder {
	s := runtime.NewScheme()
	utilruntime.Must(admissionv1.AddToScheme(s))
	s.AddUnversionedTypes(metav1.Unversioned, &metav1.List{}, &metav1.Status{})
	return serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDeserializer()
}

// accept makes what turns a decoded object, or a list of such, into defaulted and valid Ts. Another kind is ErrUnrecognizedType.
func accept[T interface {
	metav1.Object
	runtime.Object
}](set func(T), validate func(T) field.ErrorList) func(runtime.Object) ([]T, error) {
	return func(obj runtime.Object) ([]T, error) {
		found := []runtime.Object{obj}
		if meta.IsListType(obj) {
			var err error
			if found, err = meta.ExtractList(obj); err != nil {
				return nil, err
			}
		}
		items := make([]T, 0, len(found))
		for _, o := range found {
			item, ok := o.(T)
			if !ok {
				return nil, fmt.Errorf("%w %T", policies.ErrUnrecognizedType, o)
			}
			set(item)
			errs := validation.ValidateObjectMetaAccessor(item, false, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
			if errs = append(errs, validate(item)...); len(errs) > 0 {
				return nil, fmt.Errorf("%s: %w", item.GetName(), errs.ToAggregate())
			}
			items = append(items, item)
		}
		return items, nil
	}
}
