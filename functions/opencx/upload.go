package opencx

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"parley/shared/api"
	"parley/shared/parley"
)

// The largest file, in bytes, equal for every host. A function gets a request as
// JSON of at most 6 MB (AWS Lambda quota: 6,291,456), with the body in base64.
// With 64 KiB for headers and other fields that leaves (6,291,456 − 65,536) ÷ 4
// × 3 = 4,669,440 bytes of body, of which the form around the file may take 64
// KiB. The platform itself refuses larger requests, without the headers that let
// a page read why.
const (
	maxUploadBytes = 4_600_000
	maxFormBytes   = maxUploadBytes + 64<<10
	// drainBytes is how much more of a too long body is read, so that the client
	// reads the answer instead of finding the connection closed.
	drainBytes = 16 << 20
)

func errTooLong() error {
	return &parley.Error{Kind: parley.ErrInvalid, Code: "too_large", Text: "a file has at most " + strconv.Itoa(maxUploadBytes) + " bytes"}
}

type uploaded struct {
	FileName string `json:"fileName"`
	FileURL  string `json:"fileUrl"`
}

func (f function) upload(w http.ResponseWriter, r *http.Request, c parley.Caller, p *parley.Project) error {
	var held parley.SessionID
	if id := parley.SessionID(r.URL.Query().Get("sessionId")); id != "" && c.Capability {
		c, held = f.holding(c, id), id
	}
	name, called, data, err := file(r, min(maxUploadBytes, p.Uploads.Max()))
	if parley.Code(err) == "too_large" {
		_, _ = io.CopyN(io.Discard, r.Body, drainBytes) // whoever has left needs no answer
	}
	if err != nil {
		return err
	}
	stored, err := f.API.Store.PutUpload(r.Context(), c, held, name, called, data)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, uploaded{stored.Name, f.API.FileURL(r, p.ID, stored.ID, stored.Name)})
}

// file returns the part of the form that is named file, and ignores the others.
func file(r *http.Request, most int64) (name, called string, data []byte, err error) {
	if r.ContentLength > maxFormBytes {
		return "", "", nil, errTooLong()
	}
	body := r.Body
	r.Body = http.MaxBytesReader(nil, body, maxFormBytes)
	defer func() { r.Body = body }()
	noFile := api.InvalidField("file", "the body is a form with a part called file")
	form, err := r.MultipartReader()
	if err != nil {
		return "", "", nil, noFile
	}
	for {
		part, err := form.NextPart()
		if errors.As(err, new(*http.MaxBytesError)) {
			return "", "", nil, errTooLong()
		}
		if err != nil {
			return "", "", nil, noFile
		}
		if part.FormName() != "file" {
			continue
		}
		var data bytes.Buffer
		data.Grow(int(min(max(r.ContentLength, 0), most)) + bytes.MinRead) // in one piece: what grows takes several times as much
		_, err = data.ReadFrom(io.LimitReader(part, most+1))
		switch {
		case int64(data.Len()) > most, errors.As(err, new(*http.MaxBytesError)):
			return "", "", nil, errTooLong()
		case err != nil:
			return "", "", nil, noFile
		}
		return parley.FileName(part.FileName()), part.Header.Get("Content-Type"), data.Bytes(), nil
	}
}
