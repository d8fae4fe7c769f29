// Package bucket keeps the bytes of attachments in an S3 bucket. It implements
// parley.Bucket on aws-sdk-go-v2.
//
// The role it runs under needs s3:GetObject, s3:PutObject and s3:DeleteObject
// on the bucket's objects, and s3:ListBucket on the bucket itself: without the
// last one S3 answers 403 instead of 404 for a key that does not exist, so that
// parley.ErrNoObject is never seen.
package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"parley/shared/parley"
)

// Config is what a Bucket needs; both fields are required.
type Config struct {
	// Client reaches the bucket. Its credentials sign grants and links too, so
	// neither outlives them; its endpoint and addressing style are what
	// browsers are sent to.
	Client *s3.Client
	// Name of the bucket.
	Name string
}

// Bucket is one S3 bucket. It is safe for concurrent use.
type Bucket struct {
	client  *s3.Client
	presign *s3.PresignClient
	name    string
}

var _ parley.Bucket = (*Bucket)(nil)

// New returns the bucket that c describes. It does not call S3.
func New(c Config) *Bucket {
	return &Bucket{client: c.Client, presign: s3.NewPresignClient(c.Client), name: c.Name}
}

// Inspect returns what is stored under key with a single ranged read.
// ErrNoObject if nothing is.
func (b *Bucket) Inspect(ctx context.Context, key string) (parley.Object, error) {
	object, err := b.read(ctx, key, fmt.Sprintf("bytes=0-%d", parley.HeadBytes-1))
	if code(err) == "InvalidRange" {
		// An empty object has no first byte, so S3 refuses every range of it.
		object, err = b.read(ctx, key, "")
	}
	if err != nil {
		return parley.Object{}, fmt.Errorf("inspect %s: %w", key, translate(err))
	}
	return object, nil
}

// read gets an object, or the given range of it, and keeps the first HeadBytes.
func (b *Bucket) read(ctx context.Context, key, byteRange string) (parley.Object, error) {
	in := &s3.GetObjectInput{Bucket: &b.name, Key: &key}
	if byteRange != "" {
		in.Range = &byteRange
	}
	out, err := b.client.GetObject(ctx, in, unchecked)
	if err != nil {
		return parley.Object{}, err
	}
	defer out.Body.Close()
	head, err := io.ReadAll(io.LimitReader(out.Body, parley.HeadBytes))
	if err != nil {
		return parley.Object{}, err
	}
	size, err := totalSize(out)
	return parley.Object{Size: size, ETag: aws.ToString(out.ETag), Head: head}, err
}

// unchecked asks for no checksum: there is none of a part of an object, and the
// client would warn of that on every read.
func unchecked(o *s3.Options) {
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
}

// totalSize is the size of the whole object that out holds, or holds a part of.
func totalSize(out *s3.GetObjectOutput) (int64, error) {
	if out.ContentRange == nil {
		return aws.ToInt64(out.ContentLength), nil
	}
	_, total, _ := strings.Cut(*out.ContentRange, "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("content range %q", *out.ContentRange)
	}
	return size, nil
}

// Put stores an object in place of what is there.
func (b *Bucket) Put(ctx context.Context, key, contentType string, data []byte) error {
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &key, ContentType: &contentType,
		Body: bytes.NewReader(data)}, func(o *s3.Options) {
		// The signature covers the whole body already.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", key, translate(err))
	}
	return nil
}

// Copy copies the object to another key if its ETag is still etag, and gives it
// the content type and a disposition of attachment with the file name, cleaned
// of what no file should be called. ErrNoObject if it is gone, ErrObjectChanged
// if it is another one. Nothing else of the object's metadata is taken over.
func (b *Bucket) Copy(ctx context.Context, from, etag, to, contentType, filename string) error {
	_, err := b.client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &b.name,
		Key:    &to,
		// A copy source is percent-encoded; names and keys hold nothing that would be.
		CopySource:         aws.String(b.name + "/" + from),
		CopySourceIfMatch:  &etag,
		MetadataDirective:  types.MetadataDirectiveReplace,
		ContentType:        &contentType,
		ContentDisposition: aws.String(attachment(filename)),
	})
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w", from, to, translate(err))
	}
	return nil
}

// maxBatch is how many keys one DeleteObjects call may name (S3's limit).
const maxBatch = 1000

// Delete removes objects; one that is absent is no error. On error some may
// have been removed; deleting all of them again is harmless.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	for len(keys) > 0 {
		n := min(len(keys), maxBatch)
		if err := b.deleteBatch(ctx, keys[:n]); err != nil {
			return fmt.Errorf("delete %d objects: %w", n, err)
		}
		keys = keys[n:]
	}
	return nil
}

func (b *Bucket) deleteBatch(ctx context.Context, keys []string) error {
	objects := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		objects[i].Key = &keys[i]
	}
	out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &b.name,
		Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return translate(err)
	}
	if len(out.Errors) > 0 {
		first := out.Errors[0]
		return fmt.Errorf("%s: %s: %s", aws.ToString(first.Key), aws.ToString(first.Code), aws.ToString(first.Message))
	}
	return nil
}

// translate gives S3's errors the names that the port has for them. A bucket
// that does not exist is not among them: it must not look like lost objects.
func translate(err error) error {
	switch code(err) {
	case "NoSuchKey":
		return parley.ErrNoObject
	case "PreconditionFailed":
		return parley.ErrObjectChanged
	}
	return err
}

// code is the error code that S3 answered with, or "".
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}
