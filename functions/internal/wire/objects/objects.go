// Package objects builds the bucket, for functions that work on attachments.
package objects

import (
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"parley/functions/internal/wire"
	"parley/shared/bucket"
)

// Bucket returns the bucket named by PARLEY_BUCKET. If another server replaces
// S3 (AWS_ENDPOINT_URL_S3), the bucket's name becomes part of the path instead
// of the host, which such a server may not resolve.
func Bucket(b *wire.Base) *bucket.Bucket {
	client := s3.NewFromConfig(b.AWS, func(o *s3.Options) {
		o.UsePathStyle = os.Getenv("AWS_ENDPOINT_URL_S3") != ""
	})
	return bucket.New(bucket.Config{Client: client, Name: wire.Required("PARLEY_BUCKET")})
}
