package files

import (
	"encoding/xml"
	"errors"
	"net/http"

	"github.com/johannesboyne/gofakes3"
)

// refusal is an answer that S3 would give, too.
type refusal struct {
	status  int
	code    string
	message string
}

func (r refusal) Error() string { return r.code + ": " + r.message }

// mismatch refuses a signature that is not ours, or of something else.
var mismatch = refusal{http.StatusForbidden, "SignatureDoesNotMatch", "the signature is not the one that the request needs"}

func denied(message string) refusal {
	return refusal{http.StatusForbidden, "AccessDenied", message}
}

// refuse answers with S3's error document.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	said, ok := errors.AsType[refusal](err)
	if !ok {
		said = refusal{http.StatusInternalServerError, "InternalError", "the bucket's file cannot be used"}
		if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
			said = refusal{http.StatusNotFound, "NoSuchKey", "there is no such object"}
		} else {
			s.log.ErrorContext(r.Context(), "attachments cannot be used", "error", err)
		}
	}
	writeXML(w, said.status, struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: said.code, Message: said.message})
}

// writeXML answers with a document. What cannot be written, the client has left.
func writeXML(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(document)
}
