package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/token"
)

// demoKid is the key id of the signing secret that the demo project has for
// DemoIdentity.
const demoKid = "make-token"

// demoIdentityLife is how long such an identity is valid. Our choice: a working day,
// and less than the project takes.
const demoIdentityLife = 12 * time.Hour

// DemoIdentity signs an identity of the demo project of a folder, as a customer's
// backend does for somebody whose id there is sub. The Parley of the folder may run.
func DemoIdentity(folder, sub string, now time.Time) (string, error) {
	if sub == "" {
		return "", errors.New("whose token? SUB=user_1 says it")
	}
	path := filepath.Join(folder, secretName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no %s: start Parley first, with make run", path)
	}
	secret, err := masterSecret(path)
	if err != nil {
		return "", err
	}
	keys := must(token.New(token.Config{Masters: [][]byte{secret}}))
	identity := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": sub, "iat": now.Unix(), "exp": now.Add(demoIdentityLife).Unix()})
	identity.Header["kid"] = demoKid
	return identity.SignedString([]byte(keys.SigningSecret(DemoProject, demoKid)))
}
