package files

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// metadata is what the backend keeps beside the bytes: the headers of a
// download. All of them, since it would keep what an earlier object left unsaid.
func metadata(contentType, disposition string) map[string]string {
	return map[string]string{
		"Content-Type":        contentType,
		"Content-Disposition": disposition,
		"Last-Modified":       time.Now().UTC().Format(http.TimeFormat),
	}
}

// copy copies an object if it is still the one that the caller knows. gofakes3
// would not look, and would keep metadata that the caller wants replaced.
func (s *Server) copy(w http.ResponseWriter, r *http.Request) error {
	source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	if err != nil {
		return refusal{http.StatusBadRequest, "InvalidArgument", "the copy source is not an address"}
	}
	from, okFrom := strings.CutPrefix(strings.TrimPrefix(source, "/"), Name+"/")
	to, okTo := strings.CutPrefix(r.URL.Path, "/"+Name+"/")
	if !okFrom || !okTo || to == "" {
		return refusal{http.StatusNotFound, "NoSuchBucket", "there is no such bucket"}
	}
	// Read once: what is compared is what is copied, whatever is uploaded meanwhile.
	object, err := s.backend.GetObject(Name, from, nil)
	if err != nil {
		return err
	}
	defer object.Contents.Close()
	etag := `"` + hex.EncodeToString(object.Hash) + `"`
	if want := r.Header.Get("X-Amz-Copy-Source-If-Match"); want != "" && want != etag {
		return refusal{http.StatusPreconditionFailed, "PreconditionFailed", "the object is another one"}
	}
	kept := metadata(r.Header.Get("Content-Type"), r.Header.Get("Content-Disposition"))
	if _, err := s.backend.PutObject(Name, to, kept, object.Contents, object.Size, nil); err != nil {
		return err
	}
	writeXML(w, http.StatusOK, gofakes3.CopyObjectResult{ETag: etag, LastModified: gofakes3.NewContentTime(time.Now())})
	return nil
}
