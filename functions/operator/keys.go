package operator

import (
	"errors"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

type publicKey struct {
	Key      string `json:"key"`
	Revision int64  `json:"revision"`
}

func (f function) addPublicKey(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		Test bool `json:"test"`
	}
	if err := api.DecodeOptional(r, &in); err != nil {
		return err
	}
	key, now, err := f.API.Store.AddPublicKey(r.Context(), s.Project.ID, in.Test)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusCreated, publicKey{key, now.Revision})
}

func (f function) removePublicKey(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	return gone(w, f.API.Store.RemovePublicKey(r.Context(), s.Project.ID, r.PathValue("key")))
}

type signingKey struct {
	Kid      string `json:"kid"`
	Secret   string `json:"secret"`
	Revision int64  `json:"revision"`
}

func (f function) addSigningKey(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	kid, now, err := f.API.Store.AddSigningKey(r.Context(), s.Project.ID)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusCreated, signingKey{kid, f.API.Keys.SigningSecret(s.Project.ID, kid), now.Revision})
}

func (f function) removeSigningKey(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	return gone(w, f.API.Store.RemoveSigningKey(r.Context(), s.Project.ID, r.PathValue("kid")))
}

// voidTokens makes everything void that visitors hold: their tokens, tickets and links.
func (f function) voidTokens(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	_, err := f.API.Store.VoidTokens(r.Context(), s.Project.ID)
	return gone(w, err)
}

func (f function) privateKeys(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	all, err := f.API.Store.PrivateKeys(r.Context(), s.Project.ID)
	if err != nil {
		return err
	}
	out := make([]keyOut, len(all))
	for i, k := range all {
		out[i] = newKey(k)
	}
	return api.JSON(w, http.StatusOK, map[string][]keyOut{"keys": out})
}

type privateKey struct {
	Key    keyOut `json:"key"`
	Secret string `json:"secret"`
}

func (f function) addPrivateKey(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		Name     string            `json:"name"`
		Scopes   []parley.Scope    `json:"scopes"`
		Operator parley.OperatorID `json:"operator"`
		Test     bool              `json:"test"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	k, secret, err := f.API.Store.AddPrivateKeyBy(r.Context(), s.Key,
		parley.PrivateKey{Name: in.Name, Scopes: in.Scopes, Operator: in.Operator, Test: in.Test})
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusCreated, privateKey{newKey(k), secret})
}

func (f function) removePrivateKey(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	id := r.PathValue("key")
	err := f.API.Store.RemovePrivateKey(r.Context(), s.Project.ID, id)
	// Also where the key is unknown, so that who is answered an error may call again.
	return gone(w, errors.Join(err, f.dismiss(r, s, id, "")))
}
