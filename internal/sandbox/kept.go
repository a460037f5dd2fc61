package sandbox

import (
	"slices"
	"strings"
)

// keptName is a name below a directory that a command may write to, which it may
// not write to all the same: what lies there is run, or believed, on the host.
type keptName struct {
	name   string
	dir    bool // what stands for it where it is not there
	reason string
	text   string // of a file that stands for it
}

// keptInProjects stay as they are at the top of each granted directory and of
// each repository below one, also where they are not there yet.
var keptInProjects = []keptName{
	{".git", true, "git runs what its settings name, as soon as a prompt shows the branch", ""},
	{".github", true, "workflows that GitHub runs", ""},
	{".gitlab", true, "pipelines that GitLab runs", ""},
	{".circleci", true, "pipelines that CircleCI runs", ""},
	{".husky", true, "programs that git runs on the host", ""},
	{".vscode", true, "tasks and settings by which an editor runs programs", ""},
	{".idea", true, "tasks and settings by which an editor runs programs", ""},
	{".zed", true, "tasks and settings by which an editor runs programs", ""},
	{".devcontainer", true, "commands that an editor runs on the host", ""},
	{".claude", true, "hooks and settings of a coding agent", ""},
	{".cursor", true, "rules and settings of a coding agent", ""},
	{".gemini", true, "settings of a coding agent", ""},
	{".codex", true, "settings of a coding agent", ""},
	{".cargo", true, "programs that cargo runs to build", ""},
	{".mvn", true, "extensions that Maven loads", ""},
	{".hatchdog", true, "what holds the next command", ""},
}

// keptInHomes stay as they are at the top of a home directory.
var keptInHomes = []keptName{
	{".bashrc", false, "run by each shell", ""},
	{".bash_profile", false, "run by each login", ""},
	{".bash_login", false, "run by each login", ""},
	{".bash_logout", false, "run at the end of each login", ""},
	{".bash_aliases", false, "run by each shell", ""},
	{".profile", false, "run by each login", ""},
	{".zshrc", false, "run by each shell", ""},
	{".zshenv", false, "run by each shell", ""},
	{".zprofile", false, "run by each login", ""},
	{".zlogin", false, "run by each login", ""},
	{".zlogout", false, "run at the end of each login", ""},
	{".kshrc", false, "run by each shell", ""},
	{".cshrc", false, "run by each shell", ""},
	{".tcshrc", false, "run by each shell", ""},
	{".login", false, "run by each login", ""},
	{".xprofile", false, "run by each login", ""},
	{".xinitrc", false, "run with the desktop", ""},
	{".xsession", false, "run with the desktop", ""},
	{".pam_environment", false, "the environment of each login", ""},
	{".forward", false, "a program that mail is handed to", ""},
	{".inputrc", false, "what keys do in a shell", ""},
	{".tmux.conf", false, "run by each tmux", ""},
	{".screenrc", false, "run by each screen", ""},
	{".vimrc", false, "run by each vim", ""},
	{".exrc", false, "run by each vi", ""},
	{".emacs", false, "run by each Emacs", ""},
	{".gitconfig", false, "programs that git runs", ""},
	{".gdbinit", false, "run by each gdb", ""},
	{".pythonrc", false, "run by each Python", ""},
	{".Rprofile", false, "run by each R", ""},
	{".psqlrc", false, "run by each psql", ""},
	{".npmrc", false, "programs that npm runs", ""},
	{".vim", true, "run by each vim", ""},
	{".emacs.d", true, "run by each Emacs", ""},
	{".config", true, "start files of shells, of the desktop and of services", ""},
	{".local", true, "programs on the PATH, and modules that each Python loads", ""},
	{".ssh", true, "whose keys open this account", ""},
	{".gnupg", true, "whose signatures are believed", ""},
}

// keptInRepositories stay as they are in a repository's own directory, which a
// command may write to otherwise: it commits.
var keptInRepositories = []keptName{
	{"hooks", true, "programs that git runs on the host", ""},
	// Git fails where this one is empty; "." is the repository's own directory.
	{"commondir", false, "names where the settings are that git believes", ".\n"},
	{"config", false, "git runs what its settings name", ""},
	// As long as it is there the host's git does not put another file in the place of
	// the settings, on which nothing would be mounted.
	{"config.lock", false, "git replaces its settings by it", ""},
	{"config.worktree", false, "git runs what its settings name", ""},
	{"modules", true, "settings and hooks of submodules", ""},
	{"worktrees", true, "settings of work trees", ""},
}

// Runs says why the host runs or believes a file of that name; "" is that it is
// not known to.
func Runs(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		for _, table := range [][]keptName{keptInProjects, keptInHomes} {
			for _, k := range table {
				if k.name == p && (p != ".git" || i+1 < len(parts) && slices.ContainsFunc(keptInRepositories, func(r keptName) bool { return r.name == parts[i+1] })) {
					return k.reason
				}
			}
		}
	}
	return ""
}
