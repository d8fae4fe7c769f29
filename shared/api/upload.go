package api

import (
	"net/http"

	"parley/shared/parley"
)

// File is an upload as who uploaded it sees it.
type File struct {
	ID   parley.FileID `json:"id"`
	Name string        `json:"name"`
	Type string        `json:"type"`
	Size int64         `json:"size"` // bytes
	URL  string        `json:"url"`
}

// File describes an upload in a project.
func (a *API) File(r *http.Request, p parley.ProjectID, of parley.File) File {
	return File{of.ID, of.Name, of.Type, of.Size, a.FileURL(r, p, of.ID, of.Name)}
}

// Granted is leave to upload one file.
type Granted struct {
	ID     parley.FileID `json:"id"`
	Upload UploadForm    `json:"upload"`
	File   File          `json:"file"`
}

// UploadForm is the form to send, the file last.
type UploadForm struct {
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	ExpiresAt Time              `json:"expiresAt"`
}

// Grant reads which file a request wants to upload, and gives the caller leave.
// Errors are those of Decode and of parley.Store.GrantUpload.
func (a *API) Grant(r *http.Request, c parley.Caller) (Granted, error) {
	var in struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
	}
	if err := Decode(r, &in); err != nil {
		return Granted{}, err
	}
	g, err := a.Store.GrantUpload(r.Context(), c, in.Name, in.Type, in.Size)
	if err != nil {
		return Granted{}, err
	}
	return Granted{g.File.ID, UploadForm{g.Upload.URL, g.Upload.Fields, TimeOf(g.Upload.Expires)}, a.File(r, c.Project, g.File)}, nil
}
