package api

import (
	"net/http"

	"parley/shared/parley"
)

// File is an uploaded file, as it is shown to its uploader.
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

// Granted is the permission to upload one file.
type Granted struct {
	ID     parley.FileID `json:"id"`
	Upload UploadForm    `json:"upload"`
	File   File          `json:"file"`
}

// UploadForm is the form to send; the file must be its last field.
type UploadForm struct {
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	ExpiresAt Time              `json:"expiresAt"`
}

// Grant reads from a request which file is to be uploaded, and permits it to the
// caller. The errors are those of Decode and of parley.Store.GrantUpload.
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
