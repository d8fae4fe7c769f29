package files

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
)

// put stores what the client itself sends, or the browser of who holds a grant.
func (s *Server) put(w http.ResponseWriter, r *http.Request) error {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if bucket != Name || key == "" {
		return refusal{http.StatusNotFound, "NoSuchBucket", "there is no such bucket"}
	}
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return refusal{http.StatusBadRequest, "EntityTooLarge", "the body is too long or incomplete"}
	}
	kept := metadata(r.Header.Get("Content-Type"), "")
	if _, err := s.backend.PutObject(Name, key, kept, bytes.NewReader(data), int64(len(data)), nil); err != nil {
		return err
	}
	sum := md5.Sum(data)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	return nil
}
