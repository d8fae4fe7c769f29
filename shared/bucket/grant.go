package bucket

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"parley/shared/parley"
)

// The shortest life of a grant or a link is the resolution of Signature Version
// 4, the longest is its limit.
const (
	minTTL = time.Second
	maxTTL = 7 * 24 * time.Hour
)

// GrantUpload permits a browser to POST a form with min to max bytes of exactly
// this content type to exactly this key, until ttl, 1 s to 7 days, has passed.
// S3 does not count uses: until then the form may be sent again and replaces the
// object. S3 refuses form fields that the grant does not name.
func (b *Bucket) GrantUpload(ctx context.Context, key, contentType string, min, max int64, ttl time.Duration) (parley.UploadGrant, error) {
	if err := checkTTL(ttl); err != nil {
		return parley.UploadGrant{}, fmt.Errorf("grant upload of %s: %w", key, err)
	}
	// Computed before the policy is signed and rounded down, so that it is never
	// later than what the policy says.
	expires := time.Now().Add(ttl).Truncate(time.Second)
	fixed := map[string]string{"Content-Type": contentType, "success_action_status": "201"}
	// Only bucket and key of the input are used. Everything else must be a
	// condition and a field of the form.
	signed, err := b.presign.PresignPostObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &key},
		func(o *s3.PresignPostOptions) {
			o.Expires = ttl
			o.Conditions = []any{[]any{"content-length-range", min, max}}
			for name, value := range fixed {
				o.Conditions = append(o.Conditions, map[string]string{name: value})
			}
		})
	if err != nil {
		return parley.UploadGrant{}, fmt.Errorf("grant upload of %s: %w", key, err)
	}
	for name, value := range fixed {
		signed.Values[name] = value
	}
	return parley.UploadGrant{URL: signed.URL, Fields: signed.Values, Expires: expires}, nil
}

// GrantPut permits a browser to PUT an object of exactly this content type, and of any
// size, to exactly this key, until ttl, 1 s to 7 days, has passed.
func (b *Bucket) GrantPut(ctx context.Context, key, contentType string, ttl time.Duration) (parley.UploadGrant, error) {
	if err := checkTTL(ttl); err != nil {
		return parley.UploadGrant{}, fmt.Errorf("grant put of %s: %w", key, err)
	}
	expires := time.Now().Add(ttl).Truncate(time.Second)
	signed, err := b.presign.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &key, ContentType: &contentType},
		s3.WithPresignExpires(ttl), s3.WithPresignClientFromClientOptions(func(o *s3.Options) {
			// The bytes are not known yet, and browsers send no checksum of them.
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}))
	if err != nil {
		return parley.UploadGrant{}, fmt.Errorf("grant put of %s: %w", key, err)
	}
	return parley.UploadGrant{URL: signed.URL, Expires: expires}, nil
}

// Origin returns the origin ("https://host") of every grant and link, without a
// request.
func (b *Bucket) Origin(ctx context.Context) (string, error) {
	grant, err := b.GrantUpload(ctx, "origin", "text/plain", 1, 1, minTTL)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(grant.URL)
	if err != nil {
		return "", fmt.Errorf("address of the bucket: %w", err)
	}
	return u.Scheme + "://" + u.Host, nil
}

// Link returns an address in the bucket's own origin at which anybody can
// download the object until ttl, 1 s to 7 days, has passed. Content type and
// disposition are those that Copy set. Shared caches may not store the bytes,
// other caches only for ttl.
func (b *Bucket) Link(ctx context.Context, key string, ttl time.Duration) (string, error) {
	if err := checkTTL(ttl); err != nil {
		return "", fmt.Errorf("link to %s: %w", key, err)
	}
	signed, err := b.presign.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket:               &b.name,
		Key:                  &key,
		ResponseCacheControl: aws.String(fmt.Sprintf("private, max-age=%d", ttl/time.Second)),
	}, s3.WithPresignExpires(ttl), s3.WithPresignClientFromClientOptions(unchecked))
	if err != nil {
		return "", fmt.Errorf("link to %s: %w", key, err)
	}
	return signed.URL, nil
}

// checkTTL refuses lifetimes that the SDK would silently replace by its default.
func checkTTL(ttl time.Duration) error {
	if ttl < minTTL || ttl > maxTTL {
		return fmt.Errorf("a life of %v is not within %v and %v", ttl, minTTL, maxTTL)
	}
	return nil
}
