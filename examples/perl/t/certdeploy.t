# SPDX-License-Identifier: LGPL-2.1-or-later
# certdeploy.t - the Perl module over a tool; CERTDEPLOY names one with made-up results
use strict;
use warnings;
use utf8;
use FindBin;
use Test::More;
use lib "$FindBin::Bin/..";
use Certdeploy;

my $program = $ENV{CERTDEPLOY} or plan skip_all => 'CERTDEPLOY names no tool';

my $echo = Certdeploy->new(program => $program, config => 'echo');
my $result = $echo->deploy(cert => 'PEM', hostname => [ 'a.example', 'b.example' ], default => \1, all => \0, wait => 5);
ok $result->{ok}, 'it is done';
my @asked = map { $_->{message} } grep { $_->{code} eq 'echo' } @{ $result->{problems} };
is_deeply [ sort @asked ],
	[ 'add 2 a.example', 'add 2 b.example', 'memory 1 cert 3 PEM', 'set 1 1', 'set 13 5' ], 'the request arrives';
is $result->{certificates}[0]{names}[1], '日本語.example.jp', 'text is characters';
is $result->{transaction}, '20261121T201136Z-1', 'the way back';

my $long = $echo->check(cert => 'x' x 900_000);
ok $long->{ok}, 'more than a pipe holds';

my $hostile = Certdeploy->new(program => [$program], config => 'hostile');
$result = $hostile->deploy;
ok !$result->{ok}, 'a failure is a result';
is $result->{exit}, 4, 'with its status';
is scalar(Certdeploy::problems($result, 'error')), 1, 'and its problem';

$result = $echo->deploy(certt => 'x');
is $result->{problems}[0]{code}, 'usage', 'a mistyped key is refused';
my $japanese = Certdeploy->new(program => $program, language => 'ja');
like $japanese->deploy(certt => 'x')->{problems}[0]{message}, qr/キーではありません/, 'in Japanese';

is $japanese->request_text('list', service => ['apache']), '{"command":"list","lang":"ja","service":["apache"]}',
	'the text of a request';
ok $echo->request(common_name => 'www.example.jp')->{command} eq 'request', 'a request is a command like others';

ok !eval { Certdeploy->new(program => '/nonexistent/certdeploy')->list; 1 }, 'no tool';
like $@, qr/cannot run|gave no result/, 'is said';
ok !eval { Certdeploy->new(program => 'true')->list; 1 }, 'no result';
like $@, qr/gave no result/, 'is said';
ok !eval { $echo->run('nonsense'); 1 }, 'no such command';
ok !eval { Certdeploy->new(color => 1); 1 }, 'no such option';
done_testing;
