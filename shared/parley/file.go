package parley

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/shared/table"
)

// File is an uploaded object: granted, then ready (checked and copied where no
// grant reaches), then attached to a message.
type File struct {
	ID   FileID `json:"-"`
	Name string `json:"name"`
	Type string `json:"type"`
	Size int64  `json:"size"` // bytes
	// Visitor uploaded it, or else Operator, or else the project's server.
	Visitor  VisitorID  `json:"visitor,omitempty"`
	Operator OperatorID `json:"operator,omitempty"`
	// Loose says that none of them did, but a page that held neither a token nor a
	// session: whoever knows the file's id and holds a session may attach it.
	Loose bool `json:"loose,omitempty"`
	// Lazy says that no call completes the upload: it is completed when the file is
	// used first. Until then Size is the most that it may have.
	Lazy  bool      `json:"lazy,omitempty"`
	State FileState `json:"-"`
}

// FileState is how far an upload has come.
type FileState string

// The states.
const (
	FileGranted  FileState = "granted"
	FileReady    FileState = "ready"
	FileAttached FileState = "attached"
)

// Limits of uploads. Our choices.
const (
	DefaultUploadBytes = 10 << 20
	MaxFileNameBytes   = 200
	// UploadLife is how long a grant can be used, FileLife how long a file that
	// no message carries is kept.
	UploadLife = 15 * time.Minute
	FileLife   = 24 * time.Hour
	// LinkLife is how long a download address works.
	LinkLife = 5 * time.Minute
)

// uploadTypes are the media types that may be uploaded unless a project says
// otherwise, with what http.DetectContentType says of their first bytes.
var uploadTypes = map[string][]string{
	"image/png":                {"image/png"},
	"image/jpeg":               {"image/jpeg"},
	"image/gif":                {"image/gif"},
	"image/webp":               {"image/webp"},
	"application/pdf":          {"application/pdf"},
	"application/zip":          {"application/zip"},
	"text/plain":               {"text/plain"},
	"text/csv":                 {"text/plain"},
	"text/markdown":            {"text/plain"},
	"application/json":         {"text/plain"},
	"application/vnd.ms-excel": {oleType},
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":       {"application/zip"},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": {"application/zip"},
}

// DefaultUploadTypes returns the media types that a project takes by default, sorted.
func DefaultUploadTypes() []string {
	return slices.Sorted(maps.Keys(uploadTypes))
}

// Max returns the largest file in bytes.
func (u UploadSettings) Max() int64 { return cmp.Or(u.MaxBytes, DefaultUploadBytes) }

// Allowed returns the media types that visitors may upload, sorted.
func (u UploadSettings) Allowed() []string {
	if len(u.Types) == 0 {
		return DefaultUploadTypes()
	}
	return u.Types
}

// Grant is the permission to upload one file.
type Grant struct {
	File   File
	Upload UploadGrant
}

func quarantineKey(p ProjectID, f FileID) string { return "quarantine/" + string(p) + "/" + string(f) }
func checkedKey(p ProjectID, f FileID) string    { return "files/" + string(p) + "/" + string(f) }

// GrantUpload lets the caller upload one file of exactly this type and size, to a
// place from which nothing is ever served.
func (s *Store) GrantUpload(ctx context.Context, c Caller, name, mediaType string, size int64) (Grant, error) {
	return s.grant(ctx, c, File{Name: name, Type: mediaType, Size: size}, func(key string) (UploadGrant, error) {
		return s.bucket.GrantUpload(ctx, key, mediaType, size, size, UploadLife)
	})
}

// GrantPut lets the caller upload one file of exactly this type by a PUT, for clients
// that say nothing of its size before and nothing when it is done. What is larger than
// most bytes, or than the project takes, is refused when it is used: the bucket cannot
// tell. So it counts as a file of that size. Errors as GrantUpload.
func (s *Store) GrantPut(ctx context.Context, c Caller, name, mediaType string, most int64) (Grant, error) {
	return s.grant(ctx, c, File{Name: name, Type: mediaType, Size: most, Lazy: true}, func(key string) (UploadGrant, error) {
		return s.bucket.GrantPut(ctx, key, mediaType, UploadLife)
	})
}

// grant announces a file and has the bucket allow its upload.
func (s *Store) grant(ctx context.Context, c Caller, f File, allow func(key string) (UploadGrant, error)) (Grant, error) {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return Grant{}, err
	}
	if f.Lazy {
		f.Size = min(f.Size, p.Uploads.Max())
	}
	if f, err = s.announce(ctx, p, c, f); err != nil {
		return Grant{}, err
	}
	upload, err := allow(quarantineKey(p.ID, f.ID))
	return Grant{f, upload}, ofBucket("grant upload", err)
}

// ofBucket turns a failure of the bucket into ErrUnavailable.
func ofBucket(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}

// uploader names who uploaded the file: no visitor's id has a slash.
func (f File) uploader() string {
	if f.Visitor != "" {
		return string(f.Visitor)
	}
	return "operator/" + string(f.Operator)
}

// isOf reports whether the caller uploaded the file, as far as anybody can tell.
func (f File) isOf(c Caller) bool {
	if f.Loose {
		return c.Capability
	}
	return f.uploader() == File{Visitor: c.Visitor, Operator: c.Operator}.uploader()
}

// loose reports whether the caller holds neither a token nor a session's id. There
// is no visitor then.
func (c Caller) loose() bool { return c.Capability && c.Visitor == "" }

// stands returns nil for a private key, for who holds nothing, and for a visitor
// whose token stands.
func (s *Store) stands(ctx context.Context, c Caller) error {
	if c.staff() || c.loose() {
		return nil
	}
	return s.CheckVisitor(ctx, c)
}

// announce stores a file that is about to be uploaded, under an id of its own.
func (s *Store) announce(ctx context.Context, p *Project, c Caller, f File) (File, error) {
	f.ID, f.Visitor, f.Operator = FileID(string(p.ID)+"-"+s.newID()), c.Visitor, c.Operator
	f.Loose = c.loose()
	if f.Loose {
		if p.TokenRequired {
			return File{}, errIdentity()
		}
		if _, err := s.letIn(p, ChannelOpenCX, c, nil); err != nil {
			return File{}, err
		}
	}
	if err := f.check(p.Uploads); err != nil {
		return File{}, err
	}
	if err := s.stands(ctx, c); err != nil {
		return File{}, err
	}
	if err := s.takeUpload(ctx, p, c, f); err != nil {
		return File{}, err
	}
	item, err := f.item(p.ID, FileGranted, s.clock())
	if err != nil {
		return File{}, err
	}
	item["nonce"] = s.newID()
	actions := []table.Action{table.Put(item, table.Absent())}
	if !c.staff() && !c.loose() {
		actions = append(actions, checkVisitor(c))
	}
	wrote := s.write(ctx, actions...)
	stood, _ := standing(wrote, 1)
	return f, refusedAs(wrote, cmp.Or(standingOf(stood, c), errRevoked()))
}

func (f File) check(u UploadSettings) error {
	switch {
	case u.Disabled:
		return denied("uploads_off", "this project takes no uploads")
	case f.Name == "" || f.Name == "." || f.Name == ".." || !utf8.ValidString(f.Name) || strings.ContainsFunc(f.Name, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '/' || r == '\\' }):
		return invalid("name", "name is a file name without control characters or slashes")
	case len(f.Name) > MaxFileNameBytes:
		return tooLarge("name", MaxFileNameBytes)
	case !slices.Contains(u.Allowed(), f.Type):
		return invalid("type", "files of this type are not taken")
	case f.Size < 1 || f.Size > u.Max():
		return invalid("size", "size is 1 to %d bytes", u.Max())
	}
	return f.checkName(u)
}

func (f File) item(p ProjectID, state FileState, now time.Time) (table.Item, error) {
	return record(fileKey(p, f.ID), "file", f, table.Item{"state": string(state), "visitor": string(f.Visitor),
		table.ExpiresAt: now.Add(FileLife).Unix()})
}

func fileFrom(id FileID, item table.Item) (File, error) {
	f := File{ID: id}
	if item == nil {
		return f, notFound("file")
	}
	err := decode(item, "file", &f)
	f.State = FileState(item.String("state"))
	return f, err
}

// CompleteUpload checks what was uploaded and makes it ready to be attached:
// size and leading bytes of the very object that is then copied to where no
// grant reaches. Completing again is harmless. Errors: ErrNotFound if the file
// is not the caller's, upload_incomplete if nothing was uploaded,
// upload_refused if it is not what was announced, name_refused if files are not
// to be called so.
func (s *Store) CompleteUpload(ctx context.Context, c Caller, id FileID) (File, error) {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return File{}, err
	}
	if CheckID("id", string(id)) != nil {
		return File{}, notFound("file")
	}
	keys := []table.Key{fileKey(p.ID, id), visitorKey(p.ID, c.Visitor)}
	known := c.staff() || c.loose()
	if known {
		keys = keys[:1]
	}
	items, err := s.table.Get(ctx, true, keys...)
	if err != nil {
		return File{}, unavailable(err)
	}
	if !known {
		if err := standingOf(items[1], c); err != nil {
			return File{}, err
		}
	}
	f, err := fileFrom(id, items[0])
	if err != nil {
		return File{}, err
	}
	if !f.isOf(c) {
		return File{}, notFound("file")
	}
	if f.State != FileGranted {
		return f, nil
	}
	return s.complete(ctx, p, f)
}

// complete makes a granted file ready.
func (s *Store) complete(ctx context.Context, p *Project, f File) (File, error) {
	if err := f.checkName(p.Uploads); err != nil {
		return File{}, err
	}
	size, err := s.inspect(ctx, p, f)
	if err != nil {
		return File{}, err
	}
	f.State, f.Size = FileReady, size
	item, err := f.item(p.ID, FileReady, s.clock())
	if err != nil {
		return File{}, err
	}
	item["nonce"] = s.newID()
	// Refused, the same call was made twice at once, and both copied the same.
	return f, unrefused(s.write(ctx, table.Put(item, table.Equal("state", string(FileGranted)))))
}

// inspect checks an uploaded object and copies exactly what it checked. It returns
// how large that is.
func (s *Store) inspect(ctx context.Context, p *Project, f File) (int64, error) {
	from := quarantineKey(p.ID, f.ID)
	object, err := s.bucket.Inspect(ctx, from)
	if errors.Is(err, ErrNoObject) {
		return 0, conflict("upload_incomplete", "nothing has been uploaded yet")
	}
	if err != nil {
		return 0, ofBucket("inspect upload", err)
	}
	fits := object.Size == f.Size || f.Lazy && object.Size > 0 && object.Size < f.Size
	if !fits || object.Size > p.Uploads.Max() || !looksLike(f.Type, object.Head) {
		return 0, errRefusedUpload()
	}
	// Ordered before there is a copy, so that none is forgotten.
	job := dueItem(fileJobKey(p.ID, f.ID), s.clock().Add(FileLife+time.Hour), p.ID, string(f.ID), "")
	if err := s.write(ctx, table.Put(job)); err != nil {
		return 0, err
	}
	err = s.bucket.Copy(ctx, from, object.ETag, checkedKey(p.ID, f.ID), f.Type, f.Name)
	if errors.Is(err, ErrObjectChanged) || errors.Is(err, ErrNoObject) {
		return 0, conflict("upload_changed", "the file was replaced while it was checked; complete it again")
	}
	return object.Size, ofBucket("copy upload", err)
}

func errRefusedUpload() error {
	return &Error{Kind: ErrInvalid, Code: "upload_refused", Text: "the file is not of the announced type or size, or of a type that is not taken"}
}

// looksLike reports whether an object's first bytes fit its media type. A type
// that a project added itself is compared with what is detected.
func looksLike(mediaType string, head []byte) bool {
	detected := detect(head)
	if expected, ok := uploadTypes[mediaType]; ok {
		return slices.Contains(expected, detected)
	}
	return detected == mediaType
}

// detect returns the media type that an object's first bytes look like.
func detect(head []byte) string {
	if isOLE(head) {
		return oleType
	}
	detected, _, _ := strings.Cut(http.DetectContentType(head), ";")
	return detected
}

// FileSecret is the part of a file's lasting address that cannot be guessed. It
// is stored nowhere.
func (s *Store) FileSecret(p ProjectID, id FileID) string {
	return base62(s.derive("file", string(p), string(id)), 22)
}

// IsFileSecret reports whether a file is the project's and the secret the file's, by this master or by
// the one before it.
func (s *Store) IsFileSecret(p ProjectID, id FileID, secret string) bool {
	for _, derive := range []func(string, ...string) []byte{s.derive, s.previous} {
		if key := derive("file", string(p), string(id)); key != nil &&
			subtle.ConstantTimeCompare([]byte(base62(key, 22)), []byte(secret)) == 1 {
			return true
		}
	}
	return false
}

// FileLink returns a short-lived download address for whoever knows a file's
// lasting address; of one that is lazy it is the first use. ErrNotFound for everybody
// else, and until the file is ready.
func (s *Store) FileLink(ctx context.Context, id FileID, secret string) (string, error) {
	project, _, found := strings.Cut(string(id), "-")
	p := ProjectID(project)
	if !found || CheckID("id", string(id)) != nil || !s.IsFileSecret(p, id, secret) {
		return "", notFound("file")
	}
	f, err := read(ctx, s, false, fileKey(p, id), func(item table.Item) (File, error) { return fileFrom(id, item) })
	if err == nil && f.State == FileGranted {
		err = s.used(ctx, p, f)
	}
	if err != nil {
		return "", err
	}
	link, err := s.bucket.Link(ctx, checkedKey(p, id), LinkLife)
	return link, ofBucket("link file", err)
}

// used makes a granted file ready if that is done when it is used first. ErrNotFound
// for others, and for what is not there yet or not what was announced.
func (s *Store) used(ctx context.Context, id ProjectID, f File) error {
	if !f.Lazy {
		return notFound("file")
	}
	p, err := s.Project(ctx, id)
	if err != nil {
		return err
	}
	if _, err = s.complete(ctx, p, f); Code(err) != "" {
		return notFound("file")
	}
	return err
}

func errAttachment(code string) error {
	return &Error{Kind: ErrInvalid, Code: code, Field: "attachments",
		Text: "an attachment is unknown, not completed, already used or older than a day"}
}

// attach turns the request's files into parts, and into the actions that make
// them the session's for good.
func (b *sendBuild) attach(ctx context.Context) error {
	if len(b.request.Attachments) == 0 {
		return nil
	}
	keys := make([]table.Key, len(b.request.Attachments))
	for i, id := range b.request.Attachments {
		if CheckID("attachments", string(id)) != nil || slices.Contains(b.request.Attachments[:i], id) {
			return errAttachment("attachment_unknown")
		}
		keys[i] = fileKey(b.project.ID, id)
	}
	items, err := b.store.table.Get(ctx, true, keys...)
	if err != nil {
		return unavailable(err)
	}
	for i, id := range b.request.Attachments {
		f, err := fileFrom(id, items[i])
		switch {
		case errors.Is(err, ErrNotFound) || err == nil && (!f.isOf(b.caller) || f.State == FileAttached):
			return errAttachment("attachment_unknown")
		case err != nil:
			return err
		case f.State == FileGranted && f.Lazy:
			f, err = b.store.complete(ctx, b.project, f)
			if Code(err) == "upload_incomplete" {
				err = errAttachment("attachment_incomplete")
			}
			if err != nil {
				return err
			}
		case f.State == FileGranted:
			return errAttachment("attachment_incomplete")
		}
		if err := f.checkName(b.project.Uploads); err != nil {
			return err
		}
		a := &Attachment{ID: id, Name: f.Name, Type: f.Type, Size: f.Size}
		if ref, ok := b.request.Refs[id]; ok {
			a.Ref = &ref
		}
		b.parts = append(b.parts, Part{Attachment: a})
		up := table.Set(keys[i], table.Item{"state": string(FileAttached), "attached": true}, table.Equal("state", string(FileReady)))
		up.Remove = []string{table.ExpiresAt}
		b.files = append(b.files, up)
	}
	return nil
}
