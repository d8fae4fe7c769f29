// Package bucket stores attachments in an S3 bucket. It implements parley.Bucket
// with aws-sdk-go-v2.
//
// The role it runs under needs s3:GetObject, s3:PutObject and s3:DeleteObject on
// the bucket's objects, and s3:ListBucket on the bucket itself: without the last
// one S3 answers 403 instead of 404 for a missing key, and parley.ErrNoObject is
// never returned.
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
	// Client's credentials also sign grants and links, which stop working when the
	// credentials expire. Its endpoint and addressing style are those that
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

// Inspect returns size, ETag and first bytes of an object with a single ranged
// read. ErrNoObject if there is none.
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

// read gets an object, or a range of it, and returns its first HeadBytes.
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

// unchecked turns off checksums for reading: S3 has none for a part of an
// object, and the client would log a warning for each read.
func unchecked(o *s3.Options) {
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
}

// totalSize returns the size of the complete object, of which out may be a part.
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

// Put stores an object, replacing the one that is there.
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

// Copy copies an object to another key if its ETag is still etag. The copy gets
// the content type, and a disposition as a download under the cleaned file name;
// other metadata is dropped. ErrNoObject if the object is gone, ErrObjectChanged
// if it has been replaced.
func (b *Bucket) Copy(ctx context.Context, from, etag, to, contentType, filename string) error {
	_, err := b.client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &b.name,
		Key:    &to,
		// A copy source must be percent-encoded, but bucket names and our keys
		// contain nothing to encode.
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

// Delete removes objects; missing ones are no error. After an error some may
// have been removed, and calling it again is harmless.
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

// translate maps S3's errors to those of parley.Bucket. A missing bucket is not
// mapped: it must not look like a lost object.
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
