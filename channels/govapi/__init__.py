"""The API for government platforms (政务平台): apps, mini-programmes and other hotlines bring their users' matters."""
