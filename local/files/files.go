// Package files is the S3 bucket of a single process: gofakes3 over one file,
// behind a guard that checks what real S3 would. gofakes3 itself checks
// nothing; the guard verifies every signature, enforces upload policies and
// conditional copies, and lets through only what parley.Bucket needs, so that a
// laptop which others can reach gives away no more than a deployment does.
package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3bolt"
	"go.etcd.io/bbolt"

	"parley/shared/boltfile"
)

// Name is the name of the one bucket.
const Name = "attachments"

// FileName is the name of the file in its folder.
const FileName = "files.db"

// region is what signatures are made for; any would do.
const region = "us-east-1"

// Config is what a Server needs.
type Config struct {
	// Folder keeps the file. Required; made if it does not exist.
	Folder string
	// Origin is the scheme, host and port under which browsers and the client
	// reach the Server, such as http://localhost:3001. Required. The host is
	// part of every link: under another name they are refused.
	Origin string
	// Log is told when the file cannot be used; nil means slog.Default().
	Log *slog.Logger
	// Damaged is told once if the file turns out to be damaged while it is open;
	// nil means nobody. From then on it is not used.
	Damaged func(error)
}

// Server serves one S3 bucket by path-style addresses at the root of its
// origin. It is an http.Handler, safe for concurrent use.
type Server struct {
	origin      string
	log         *slog.Logger
	credentials aws.Credentials
	signer      *v4.Signer
	backend     *backend
	next        http.Handler
}

// Open opens the bucket in a folder, with everything that was stored there
// before, and the credentials that grants and links were signed with: within
// their time they stay good over a restart. An error if another process has the
// folder open, or the file is damaged (boltfile.ErrDamaged).
func Open(c Config) (*Server, error) {
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return nil, err
	}
	db, err := boltfile.Open(filepath.Join(c.Folder, FileName), bbolt.Options{}, func(*bbolt.Tx) error { return nil })
	if err != nil {
		return nil, err
	}
	back := &backend{Backend: s3bolt.New(db), db: db, path: db.Path(), damaged: c.Damaged}
	credentials, err := back.begin()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", db.Path(), err), db.Close())
	}
	return &Server{
		origin:      c.Origin,
		log:         cmp.Or(c.Log, slog.Default()),
		credentials: credentials,
		signer:      v4.NewSigner(unescaped),
		backend:     back,
		next:        gofakes3.New(back).Server(),
	}, nil
}

// Close closes the file. Requests after it are answered with an error.
func (s *Server) Close() error { return s.backend.close() }

// Client returns a client of the bucket, which reaches it at its origin.
func (s *Server) Client() *s3.Client {
	return s3.New(s3.Options{
		Region:       region,
		BaseEndpoint: &s.origin,
		UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return s.credentials, nil
		}),
	})
}

// ServeHTTP answers the requests of parley.Bucket, of who holds a grant or a
// link, and the preflights of their browsers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// What is allowed is decided by signature, not by where a page comes from.
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "ETag")
	if r.Method == http.MethodOptions {
		w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT")
		w.Header().Set("Access-Control-Allow-Headers", "*")
		return
	}
	if err := s.serve(w, r); err != nil {
		s.refuse(w, r, err)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	if isForm(r) {
		return s.upload(w, r)
	}
	r, err := s.verified(r)
	if err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		return s.copy(w, r)
	case r.Method == http.MethodPut && r.URL.Query().Get("x-id") == "PutObject":
		return s.put(w, r)
	case r.Method == http.MethodGet, r.Method == http.MethodHead,
		r.Method == http.MethodPost && r.URL.Query().Has("delete"):
		if bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); bucket != Name {
			return refusal{http.StatusNotFound, "NoSuchBucket", "there is no such bucket"}
		}
		s.next.ServeHTTP(w, r)
		return nil
	}
	return refusal{http.StatusNotImplemented, "NotImplemented", "this server keeps attachments and nothing else"}
}
