package server

import (
	"net/http"

	"github.com/emicklei/go-restful/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
)

// issuerMetadata serves what relying parties read of the issuer of tokens. Other methods than GET and media types that these documents
// do not have are refused with a Status, as for all else that is served.
func (s *Server) issuerMetadata() http.Handler {
	c := restful.NewContainer()
	c.ServiceErrorHandler(func(err restful.ServiceError, r *restful.Request, w *restful.Response) {
		status := apierrors.NewGenericServerResponse(err.Code, "", schema.GroupResource{}, "", err.Message, 0, false)
		responsewriters.ErrorNegotiated(status, s.scheme.Codecs, schema.GroupVersion{}, w, r.Request)
	})
	for _, d := range s.tokens.Discovery(s.generic.ExternalAddress) {
		service := new(restful.WebService).Path(d.Path).Produces(d.MediaType)
		service.Route(service.GET("").To(func(r *restful.Request, w *restful.Response) { d.ServeHTTP(w, r.Request) }))
		c.Add(service)
	}
	return c
}
