package parley

import (
	"bytes"
	"cmp"
	"context"
	"mime"
	"path/filepath"
	"slices"
	"strings"
)

// PutUpload takes a file whole, for clients that send it through the function,
// and makes it ready to be attached: it goes the way of every upload, by the
// quarantine, and is checked there. The media type is what the browser called it
// if its bytes agree, else what the end of its name says, else, where the browser
// did not know, what the bytes look like; one that goes with the name wins. session
// is the one of which the caller holds the id, and must be the caller's; "" for a
// caller who holds none. Errors: ErrNotFound for the session, uploads_off,
// invalid_field, upload_refused for a type that the project does not take,
// name_refused, uploads_limit.
func (s *Store) PutUpload(ctx context.Context, c Caller, session SessionID, name, called string, data []byte) (File, error) {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return File{}, err
	}
	if session != "" {
		if _, err := s.open(ctx, c, session, true); err != nil {
			return File{}, err
		}
	}
	mediaType := p.Uploads.typeOf(name, called, data[:min(len(data), HeadBytes)])
	if !p.Uploads.Disabled && mediaType == "" {
		return File{}, errRefusedUpload()
	}
	f, err := s.announce(ctx, p, c, File{Name: name, Type: mediaType, Size: int64(len(data))})
	if err != nil {
		return File{}, err
	}
	if err := s.bucket.Put(ctx, quarantineKey(p.ID, f.ID), f.Type, data); err != nil {
		return File{}, ofBucket("put upload", err)
	}
	return s.CompleteUpload(ctx, c, f.ID)
}

// typesByName are media types by the end of a file's name, for what browsers on
// some systems call something else.
var typesByName = map[string]string{
	".csv":  "text/csv",
	".md":   "text/markdown",
	".json": "application/json",
	".txt":  "text/plain",
	".xls":  "application/vnd.ms-excel",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}

// typeOf returns the media type that the project takes the file as, "" if as none.
func (u UploadSettings) typeOf(name, called string, head []byte) string {
	said, _, err := mime.ParseMediaType(called)
	if err != nil {
		said = ""
	}
	candidates := []string{said, typesByName[strings.ToLower(filepath.Ext(name))]}
	if said == "" || said == "application/octet-stream" { // the browser does not know
		candidates = append(candidates, detect(head))
	}
	fits := ""
	for _, t := range candidates {
		if t == "" || !slices.Contains(u.Allowed(), t) || !looksLike(t, head) {
			continue
		}
		if (File{Name: name, Type: t}).checkName(u) == nil {
			return t
		}
		fits = cmp.Or(fits, t)
	}
	return fits
}

// oleMagic begins what Microsoft Office wrote before 2007
// (MS-CFB, section 2.2).
var oleMagic = []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}

const oleType = "application/x-ole-storage"

func isOLE(head []byte) bool { return bytes.HasPrefix(head, oleMagic) }
