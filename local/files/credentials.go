package files

import (
	"crypto/rand"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.etcd.io/bbolt"
)

var (
	// credentialsBucket is beside the attachments in the file. gofakes3 would take
	// it for a bucket of its own: Server.serve lets no request through to it.
	credentialsBucket = []byte("_credentials")
	accessKeyName     = []byte("access-key")
	secretKeyName     = []byte("secret-key")
)

// keepCredentials returns what the file's grants and links are signed with,
// made if it is missing. It stays with the file, so that what was signed before
// a restart is good after it.
func keepCredentials(db *bbolt.DB) (c aws.Credentials, err error) {
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(credentialsBucket)
		if err != nil {
			return err
		}
		id, errID := keepText(b, accessKeyName)
		secret, errSecret := keepText(b, secretKeyName)
		c = aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
		return errors.Join(errID, errSecret)
	})
	return c, err
}

// keepText returns the text kept under a name, a random one if there is none.
func keepText(b *bbolt.Bucket, name []byte) (string, error) {
	if kept := b.Get(name); kept != nil {
		return string(kept), nil
	}
	text := rand.Text()
	return text, b.Put(name, []byte(text))
}
