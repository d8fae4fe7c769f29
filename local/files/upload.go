package files

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

// maxFields is how long the part of a form before its file may be, in bytes (S3's limit).
const maxFields = 20 << 10

// isForm reports whether a request is a browser's upload, which is signed in its fields.
func isForm(r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.Method == http.MethodPost && kind == "multipart/form-data" && strings.TrimSuffix(r.URL.Path, "/") == "/"+Name
}

// upload stores the file of a form if its policy allows that.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) error {
	form, err := r.MultipartReader()
	if err != nil {
		return malformed
	}
	fields, file, err := readFields(form)
	if err != nil {
		return err
	}
	key := fields["key"]
	if key == "" {
		return refusal{http.StatusBadRequest, "InvalidArgument", "the form has no key"}
	}
	allowed, err := s.authorize(fields)
	if err != nil {
		return err
	}
	data, err := allowed.read(file)
	if err != nil {
		return err
	}
	kept := metadata(fields["content-type"], "")
	if _, err := s.backend.PutObject(Name, key, kept, bytes.NewReader(data), int64(len(data)), nil); err != nil {
		return err
	}
	sum := md5.Sum(data)
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	location := s.origin + "/" + Name + "/" + key
	w.Header().Set("ETag", etag)
	w.Header().Set("Location", location)
	writeXML(w, http.StatusCreated, struct {
		XMLName                     xml.Name `xml:"PostResponse"`
		Location, Bucket, Key, ETag string
	}{Location: location, Bucket: Name, Key: key, ETag: etag})
	return nil
}

var malformed = refusal{http.StatusBadRequest, "MalformedPOSTRequest", "the body is not a well-formed form with a file at its end"}

// readFields reads a form up to its file. Names are in lower case; each may
// stand only once, so that what is checked is what counts.
func readFields(form *multipart.Reader) (map[string]string, io.Reader, error) {
	fields, left := map[string]string{}, int64(maxFields)
	for {
		part, err := form.NextRawPart()
		if err != nil {
			return nil, nil, malformed
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			return fields, part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, left+1))
		if err != nil {
			return nil, nil, malformed
		}
		if left -= int64(len(name) + len(value)); left < 0 {
			return nil, nil, refusal{http.StatusBadRequest, "MaxPostPreDataLengthExceeded", "the fields are too long"}
		}
		if _, taken := fields[name]; taken {
			return nil, nil, refusal{http.StatusBadRequest, "InvalidArgument", "the form has more than one " + name}
		}
		fields[name] = string(value)
	}
}

// read reads a file that must be of one of these sizes.
func (s sizes) read(file io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(file, s.max+1))
	switch size := int64(len(data)); {
	case err != nil:
		return nil, malformed
	case size > s.max:
		return nil, refusal{http.StatusBadRequest, "EntityTooLarge", fmt.Sprintf("more than %d bytes", s.max)}
	case size < s.min:
		return nil, refusal{http.StatusBadRequest, "EntityTooSmall", fmt.Sprintf("fewer than %d bytes", s.min)}
	}
	return data, nil
}
