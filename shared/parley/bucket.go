package parley

import (
	"context"
	"errors"
	"time"
)

// Bucket holds the bytes of attachments. Keys are made by this package; they
// hold only letters, digits, "-", "_", "." and "/". Implementations are safe
// for concurrent use; an error that is none of the ones named means that the
// bucket could not be reached and the call may be tried again.
type Bucket interface {
	// GrantUpload allows one browser form POST of min to max bytes with exactly
	// this content type to exactly this key until ttl has passed.
	GrantUpload(ctx context.Context, key, contentType string, min, max int64, ttl time.Duration) (UploadGrant, error)

	// GrantPut allows a browser to PUT one object with exactly this content type to
	// exactly this key until ttl has passed, of any size. The grant has no Fields.
	GrantPut(ctx context.Context, key, contentType string, ttl time.Duration) (UploadGrant, error)

	// Put stores an object that the function itself was sent, in place of what
	// is there.
	Put(ctx context.Context, key, contentType string, data []byte) error

	// Inspect returns what is stored under key. ErrNoObject if nothing is.
	Inspect(ctx context.Context, key string) (Object, error)

	// Copy copies the object to another key if its ETag is still etag, and gives
	// it the content type and a disposition of attachment with the file name.
	// ErrNoObject if it is gone, ErrObjectChanged if it is another one.
	// Copying again is harmless.
	Copy(ctx context.Context, from, etag, to, contentType, filename string) error

	// Link returns an address of the bucket's own origin under which anybody can
	// download the object until ttl has passed.
	Link(ctx context.Context, key string, ttl time.Duration) (string, error)

	// Delete removes objects; one that is absent is no error.
	Delete(ctx context.Context, keys ...string) error
}

// UploadGrant is what a browser needs to send a file: a form POST to URL with
// the Fields first and the field "file" last; of GrantPut a PUT of the bytes to URL
// with the content type as its header.
type UploadGrant struct {
	URL     string
	Fields  map[string]string
	Expires time.Time
}

// Object is what Bucket.Inspect saw.
type Object struct {
	// Size is in bytes.
	Size int64
	// ETag names exactly this content, as the bucket gives it.
	ETag string
	// Head is the object's first bytes, at most HeadBytes.
	Head []byte
}

// HeadBytes is how much of an object Inspect reads, in bytes: what
// http.DetectContentType looks at.
const HeadBytes = 512

// Errors of a Bucket.
var (
	ErrNoObject      = errors.New("no such object")
	ErrObjectChanged = errors.New("object changed")
)
