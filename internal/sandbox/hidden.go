package sandbox

import (
	"path"
	"strings"
)

// named is a kind of file that is known by its name.
type named struct {
	pattern string // path.Match, of the last elements of a path: as many as the pattern has
	reason  string
}

// hidden are never shown to a command, whatever directory was granted, unless
// they are granted by their own name. A directory is hidden with all below it.
// Names and places are those of the programs' own manuals.
var hidden = []named{
	{".ssh", "keys of ssh, and where they open a door"},
	{".gnupg", "keys of GnuPG, and its agent's socket"},
	{".password-store", "the passwords of pass"},
	{".aws", "credentials of AWS"},
	{".azure", "credentials of Azure"},
	{".config/gcloud", "credentials of Google Cloud"},
	{".config/gh", "the token of GitHub's command"},
	{".config/glab-cli", "the token of GitLab's command"},
	{".config/op", "sessions of 1Password"},
	{".config/hub", "the token of hub"},
	{".config/doctl", "the token of DigitalOcean"},
	{".config/rclone", "credentials of rclone's stores"},
	{".config/containers", "credentials of registries"},
	{".kube", "credentials of clusters"},
	{".docker", "credentials of registries, and the engine's socket"},
	{".oci", "credentials of Oracle Cloud"},
	{".terraform.d", "credentials of Terraform"},
	{".vault-token", "the token of Vault"},
	{".netrc", "passwords of hosts"},
	{".npmrc", "tokens of npm's registries"},
	{".yarnrc.yml", "tokens of Yarn's registries"},
	{".pypirc", "tokens of Python's registries"},
	{".cargo/credentials*", "tokens of Cargo's registries"},
	{".gem/credentials", "tokens of RubyGems"},
	{".m2/settings*.xml", "passwords of Maven's repositories"},
	{"maven/settings*.xml", "passwords of Maven's repositories"},
	{".gradle/gradle.properties", "passwords of Gradle's repositories"},
	{".git-credentials", "passwords of git's hosts"},
	{".config/git/credentials", "passwords of git's hosts"},
	{".pgpass", "passwords of PostgreSQL"},
	{".my.cnf", "passwords of MySQL"},
	{".mylogin.cnf", "passwords of MySQL"},
	{".s3cfg", "credentials of S3"},
	{".boto", "credentials of Google Cloud and AWS"},
	{".env", "secrets of a project"},
	{".env.*", "secrets of a project"},
	{".envrc", "secrets of a project, and what direnv runs"},
	{".git/hooks", "programs that git runs on the host"},
	{".*_history", "what was typed into a shell or a database, passwords included"},
	{".local/share/fish", "what was typed into a shell"},
	{".histfile", "what was typed into a shell"},
	{".zsh_sessions", "what was typed into a shell"},
	{".lesshst", "what was looked for"},
	{".mozilla", "cookies and passwords of a browser"},
	{".thunderbird", "mail and its passwords"},
	{".config/google-chrome*", "cookies and passwords of a browser"},
	{".config/chromium", "cookies and passwords of a browser"},
	{".config/BraveSoftware", "cookies and passwords of a browser"},
	{".config/microsoft-edge*", "cookies and passwords of a browser"},
	{".config/vivaldi", "cookies and passwords of a browser"},
	{".config/opera", "cookies and passwords of a browser"},
	{".local/share/keyrings", "passwords of the desktop"},
	{".local/share/kwalletd", "passwords of the desktop"},
	{".electrum", "keys of a wallet"},
	{".bitcoin", "keys of a wallet"},
	{".ethereum", "keys of a wallet"},
	{"id_rsa", "a key of ssh"},
	{"id_dsa", "a key of ssh"},
	{"id_ecdsa", "a key of ssh"},
	{"id_ecdsa_sk", "a key of ssh"},
	{"id_ed25519", "a key of ssh"},
	{"id_ed25519_sk", "a key of ssh"},
	{"*.ppk", "a key of PuTTY"},
	{"*.p12", "a key with its certificate"},
	{"*.pfx", "a key with its certificate"},
	{"*.jks", "keys of Java"},
	{"*.keystore", "keys of Java"},
	{"*.kdbx", "passwords of KeePass"},
	{"*.tfstate", "Terraform's state, which holds secrets in the clear"},
	{"*.tfstate.backup", "Terraform's state, which holds secrets in the clear"},
}

// shown are names that hidden would hide and that hold no secret.
var shown = []string{".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults"}

// looked are files whose content decides: a certificate is shown, a private key
// is not.
var looked = []string{"*.pem", "*.key", "*.crt"}

// Hidden says why the file of that name is hidden; "" is that it is not.
func Hidden(name string) string {
	base := path.Base(name)
	for _, s := range shown {
		if base == s {
			return ""
		}
	}
	return first(hidden, name)
}

func first(table []named, name string) string {
	parts := strings.Split(name, "/")
	for _, n := range table {
		depth := strings.Count(n.pattern, "/") + 1
		if len(parts) < depth {
			continue
		}
		if ok, err := path.Match(n.pattern, strings.Join(parts[len(parts)-depth:], "/")); err == nil && ok {
			return n.reason
		}
	}
	return ""
}

// lookedInto reports whether the content of a file of that name decides.
func lookedInto(base string) bool {
	for _, pattern := range looked {
		if ok, err := path.Match(pattern, base); err == nil && ok {
			return true
		}
	}
	return false
}
