# SPDX-License-Identifier: LGPL-2.1-or-later
package Certdeploy;

use strict;
use warnings;
use Carp qw(croak);
use File::Temp ();
use IPC::Open3 qw(open3);
use JSON::PP ();

our $VERSION = '0.1.0';

my %commands = map { $_ => 1 } qw(
	adapters check deploy diff discover doctor expiry export history import list plan prune recover request rollback
	show store tlsa verify
);

sub new {
	my ($class, %options) = @_;
	my $self = { program => ['certdeploy'] };

	for my $name (keys %options) {
		croak "Certdeploy: there is no option \"$name\""
			unless $name =~ /\A(?:program|config|root|language)\z/;
		$self->{$name} = $options{$name};
	}
	$self->{program} = [ $self->{program} ] unless ref $self->{program};
	return bless $self, $class;
}

# Perl's own true and false become JSON's where the tool wants them.
sub request_text {
	my ($self, $command, %request) = @_;

	croak "Certdeploy: there is no command \"$command\"" unless $commands{$command};
	for my $value (values %request) {
		$value = $$value ? JSON::PP::true() : JSON::PP::false() if ref $value eq 'SCALAR';
	}
	$request{lang} = $self->{language} if defined $self->{language} && !exists $request{lang};
	return JSON::PP->new->utf8->canonical->encode({ %request, command => $command });
}

sub run {
	my ($self, $command, %request) = @_;
	my @words = @{ $self->{program} };
	my $errors = File::Temp->new;
	my ($to, $from, $result);

	push @words, '-c', $self->{config} if defined $self->{config};
	push @words, '--root', $self->{root} if defined $self->{root};
	my $text = $self->request_text($command, %request);

	# Secrets go through a pipe: never through arguments, the environment or a file. The tool reads
	# all of its input before it writes.
	local $SIG{PIPE} = 'IGNORE';
	my $pid = eval { open3($to, $from, '>&' . fileno($errors), @words, '--json', '-') };
	croak "Certdeploy: cannot run $words[0]: " . ($@ || $!) unless $pid;
	print {$to} $text;
	close $to;
	my $output = do { local $/; <$from> };
	close $from;
	waitpid $pid, 0;
	my $status = $?;

	$result = eval { JSON::PP->new->utf8->decode($output // '') };
	if (ref $result ne 'HASH' || ($result->{schema} // '') ne 'certdeploy/1') {
		seek $errors, 0, 0;
		my $said = do { local $/; <$errors> } // '';
		$said =~ s/[^\x20-\x7e]+/ /g;
		croak sprintf 'Certdeploy: %s gave no result (status %d): %.200s', $words[0], $status >> 8, $said;
	}
	return $result;
}

for my $command (keys %commands) {
	no strict 'refs';
	# "use" calls a method named import
	*{ $command eq 'import' ? 'import_certificate' : $command } = sub { my $self = shift; return $self->run($command, @_) };
}

sub problems {
	my ($result, $severity) = @_;

	return grep { !defined $severity || $_->{severity} eq $severity } @{ $result->{problems} };
}

1;

__END__

=encoding UTF-8

=head1 NAME

Certdeploy - put TLS certificates into service from a panel written in Perl

=head1 SYNOPSIS

    use Certdeploy;

    my $certdeploy = Certdeploy->new(language => 'ja');
    my $plan = $certdeploy->plan(cert => $pem, key => $key, chain => $ca, hostname => ['www.example.jp']);
    print $plan->{diff};

    my $done = $certdeploy->deploy(cert => $pem, key => $key, chain => $ca, hostname => ['www.example.jp']);
    if (!$done->{ok}) {
        print "$_->{message}\n", $_->{fix} // '', "\n" for Certdeploy::problems($done, 'error');
    }
    $certdeploy->rollback(transaction => $done->{transaction}) if $regret;

=head1 DESCRIPTION

Each command of certdeploy(1) is a method. Its arguments are the keys of a JSON request, its result is
the JSON result as plain Perl data; both are described in certdeploy(1) and certdeploy.schema.json. The
request goes to the tool's standard input, so that neither keys nor names stand on a command line.

=over

=item new(program => PATH or [WORDS], config => FILE, root => DIRECTORY, language => LANGUAGE)

All may be left out. C<< program => ['sudo', '-n', 'certdeploy'] >> runs it with other rights.

=item deploy(KEY => VALUE, ...), plan, check, list, discover, verify, doctor, expiry, history, show, diff, rollback, recover, prune, adapters, request, export, import_certificate, store, tlsa

Flags are C<\1> and C<\0>, or JSON booleans: C<< default => \1 >>. A failure is a result with C<ok> false.
They die only when the tool cannot be run or gives no result.

=item request_text(COMMAND, KEY => VALUE, ...)

The JSON that would go to the tool, for a panel that runs it by itself.

=item problems(RESULT, SEVERITY)

The problems of a result, or those of one severity: error, warning, notice.

=back

=cut
