package certificates

import (
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"CertificateSigningRequest": recorded.Of(nil, ValidateCreate, func(_, _ *certificatesv1.CertificateSigningRequest) field.ErrorList { return nil }),
	})
}
